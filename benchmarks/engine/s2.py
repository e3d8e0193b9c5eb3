"""S2: a crossover on 100 symbols x a year of minute bars, by the library, vectorbt and compiled passes, on one core."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.engine import peers
from benchmarks.environments import STRATEGY
from benchmarks.row import Row

ROUNDS, HOT = 3, 5
APART = (
    1e-4  # of equity and fills: running sums and sums by halves differ in the last bit, which decides ties otherwise
)
MEMORY = 0.4e9  # bytes above the input
FIRST_RESULT = 0.8  # seconds

Asked = dict[str, Any]
Runs = list[dict[str, Any]]


@dataclass(frozen=True)
class Way:
    """One way to run S2: `how` ours and the limit do, what the peer is `asked`, and what is to be reached."""

    how: str
    asked: Asked
    named: str
    to_limit: float
    to_peer: float = 0.0
    seen: str | None = None

    @property
    def reach(self) -> str:
        peer = f" and >= {self.to_peer:g} times faster than the peer" if self.to_peer else ""
        return f"<= {self.to_limit:g} times the limit{peer}"


_FIGURES: Asked = {"how": "signals", "figures": True}
_SHARED: Asked = {"how": "decision", "accounts": "one", "figures": True}
SLEEVES = Way("sleeves", _FIGURES, "figures", 2.5, 30.0, "S2 with figures")
OWN = Way("numpy", {"how": "signals"}, "signals by its own NumPy", 1.5, seen="S2, own NumPy")
SHARED = Way("shared", _SHARED, "figures, one shared account", 2.5, 30.0)


def rows() -> list[Row]:
    """Measure S2 three ways, its memory, and how soon a new process has a first result."""
    sleeves = measured(SLEEVES)
    return [row(SLEEVES, sleeves), *(row(way, measured(way)) for way in (OWN, SHARED)), memory(sleeves), first_result()]


def measured(way: Way) -> dict[str, Runs]:
    """Return ours and the limit in interleaved rounds, and the peer, by its better engine, between them."""
    made: dict[str, Runs] = {"ours": [], "limit": [], "peer": []}
    for at in range(ROUNDS):
        for name in ("limit", "ours"):
            made[name].append(peers.call(STRATEGY, f"benchmarks.engine.{name}", workload="S2", how=way.how, hot=HOT))
        if at == ROUNDS // 2:
            made["peer"] = [min((peer(engine, way.asked) for engine in ("numba", "rust")), key=lambda run: hot([run]))]
    agree(made["ours"][0], made["limit"][0])
    return made


def row(way: Way, made: dict[str, Runs]) -> Row:
    """Return the row of one way."""
    ours, limit, theirs = (hot(made[name]) for name in ("ours", "limit", "peer"))
    cold = (f"{name} {statistics.median(run['cold'] for run in runs):.2g} s" for name, runs in made.items())
    made_row = Row(
        measure=f"S2, {way.named}, 100 symbols x 98,280 minute bars, one core, hot",
        unit="s",
        ours=ours,
        ours_cpu=hot(made["ours"], "cpu"),
        peer=theirs,
        peer_name=name_of(made["peer"][0]),
        limit=limit,
        limit_name="compiled pass",
        reach=way.reach,
        ok=ours / limit <= way.to_limit and theirs / ours >= way.to_peer,
        note=f"first call: {', '.join(cold)}",
    )
    void = peers.disturbed(way.seen, theirs, limit) if way.seen else None
    return made_row if void is None else peers.voided(made_row, void)


def name_of(run: dict[str, Any]) -> str:
    """Return a peer's name, version and engine."""
    return f"vectorbt {run['version']}, {run['engine']}"


def peer(engine: str, asked: Asked) -> dict[str, Any]:
    """Return one measurement of vectorbt."""
    return {**peers.vectorbt("S2", engine, hot=2, **asked), "engine": engine}


def hot(runs: Runs, what: str = "wall") -> float:
    """Return the median of all hot calls of several processes."""
    return statistics.median(float(value) for run in runs for value in run[what])


def agree(ours: dict[str, Any], limit: dict[str, Any]) -> None:
    """Refuse to compare speeds of runs that do not come to the same result."""
    if any(abs(ours[name] / limit[name] - 1) > APART for name in ("equity", "fills", "max_drawdown", "sharpe")):
        raise SystemExit(f"ours and the limit do not agree: {ours} {limit}")


def memory(made: dict[str, Runs]) -> Row:
    """Return the peak above the input, of the runs with figures."""
    ours, theirs = (max(run["memory"] for run in made[name]) for name in ("ours", "peer"))
    said = target(ours, theirs, MEMORY, name_of(made["peer"][0]))
    return replace(said, measure="S2, figures, peak memory above the input", unit="B")


def first_result() -> Row:
    """Return how long a new process takes to its end, which comes right after a first result of S1."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(peers.call(STRATEGY, "benchmarks.engine.ours", workload="S1", how="sleeves", hot=0))
        theirs.append({**peers.vectorbt("S1", "rust", hot=0, **_FIGURES), "engine": "rust"})
    wall, other = (statistics.median(run["process_wall"] for run in runs) for runs in (ours, theirs))
    return target(wall, other, FIRST_RESULT, name_of(theirs[0]))


def target(ours: float, theirs: float, reach: float, name: str) -> Row:
    """Return a row in seconds whose limit is the figure to be reached."""
    return Row(
        measure="S1, from a new process to the first result",
        unit="s",
        ours=ours,
        ours_cpu=None,
        peer=theirs,
        peer_name=name,
        limit=reach,
        limit_name="target",
        reach="<= the target",
        ok=ours <= reach,
    )
