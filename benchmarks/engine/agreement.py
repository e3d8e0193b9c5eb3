"""Ours and the peers come to the same equity: by which settings of theirs, and how exactly.

make bench-agreement                        # the peers, here and now, against ours
python -m benchmarks.engine.agreement       # the same, and keep their figures for the test suite
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.engine import inputs, peers
from benchmarks.environments import ROOT
from benchmarks.row import Row
from benchmarks.s1 import bars

FIGURES = ROOT / "tests" / "unit" / "peers" / "agreement.json"
BOUND = 1e-9  # relative, of the equity at the end
PAID = (1 + bars.SLIPPAGE) * (1 + bars.COMMISSION)  # a buy of 1 at the open costs this


@dataclass(frozen=True)
class Case:
    """Settings of a peer, and those of ours that mean the same."""

    name: str
    peer: str
    asked: dict[str, Any]
    size_at: Literal["decision", "fill"]
    weight: float = inputs.WEIGHT
    accounts: Literal["one", "sleeves"] = "one"

    @property
    def symbols(self) -> int:
        return inputs.symbols_of(str(self.asked["workload"]))


_CURVE = {"workload": "S1", "curve": True}
CASES = (
    Case("target percent of equity, valued at the fill's open", "vectorbt", {**_CURVE, "how": "fill"}, "fill"),
    # `size` of `from_signals` is of the cash with slippage and fee in it, a weight of ours of the equity before both.
    Case("percent of cash, as the weight", "vectorbt", {**_CURVE, "how": "signals", "size": 0.95 * PAID}, "fill"),
    Case("percent of cash, as it is", "vectorbt", {**_CURVE, "how": "signals"}, "fill", weight=0.95 / PAID),
    Case("target percent, valued at the close before", "vectorbt", {**_CURVE, "how": "decision"}, "decision"),
    Case("target percent, valued at the close before", "vectorbt-rust", {**_CURVE, "how": "decision"}, "decision"),
    Case("sized at the open by cheat-on-open", "backtrader", {"workload": "S1", "how": "fill"}, "fill"),
    Case("sized at the close", "backtrader", {"workload": "S1", "how": "decision"}, "decision"),
)
# Averages added in another way differ in the last bit, and two fills of 135,233 with them: the peer's are taken.
_DECISIONS = str(inputs.FOLDER / "decisions.npy")
_SHARED = {"workload": "S2", "how": "decision", "accounts": "one", "curve": True, "hot": 0, "decisions": _DECISIONS}
SHARED = Case("100 symbols, one account (cash_sharing)", "vectorbt-rust", _SHARED, "decision")


def rows() -> list[Row]:
    """Run every peer and compare the equity: at the end, and at each session's close where the peer states it."""
    made = []
    for case in (*CASES, SHARED):
        theirs, mine = ask(case), ours(case)
        if theirs["fills"] != mine["fills"]:
            raise SystemExit(f"{case.peer}, {case.name}: {theirs['fills']} fills, ours {mine['fills']}")
        apart = difference(theirs, mine)
        equal = ", every bar to the byte" if theirs.get("curve_sha256") == mine["curve_sha256"] else ""
        made.append(_row(f"agreement with {case.peer} {theirs['version']}: {case.name}{equal}", apart))
    return made


def ask(case: Case) -> dict[str, Any]:
    """Return what the peer comes to."""
    engine = {"engine": "rust" if case.peer.endswith("rust") else "numba"} if case.peer != "backtrader" else {}
    return peers.measure(case.peer, **engine, **case.asked)


def ours(case: Case) -> dict[str, Any]:
    """Return what the library comes to with the case's settings: equity at the end and at the sessions, fills.

    Where the peer has written its decisions, on these: it is asked first.
    """
    from tapedeck import engine, sma  # noqa: PLC0415 - the library is on the path of this process only
    from tapedeck.market.block import Block  # noqa: PLC0415

    data = inputs.load(case.symbols)
    names = tuple(f"S{k:03}" for k in range(case.symbols))
    fields = {name: data[name].T for name in inputs.FIELDS}
    theirs = case.asked.get("decisions")
    held = np.load(theirs) if theirs else sma(fields["close"], bars.FAST) > sma(fields["close"], bars.SLOW)
    weight = case.weight / (case.symbols if case.accounts == "one" else 1)
    settings = engine.EngineSettings(cash=bars.CASH, accounts=case.accounts, size_at=case.size_at)
    state = engine.start(names, settings, [], [])
    targets = (held * weight).astype(np.float64, copy=False)
    done = engine.step(state, Block(names, data["ts"], data["session"], fields), targets)
    return {
        "equity": float(done.equity[-1]),
        "fills": len(done.fills),
        "curve_sha256": hashlib.sha256(done.equity.astype("<f8").tobytes()).hexdigest(),
        "sessions": done.equity[bars.MINUTES - 1 :: bars.MINUTES].tolist(),
    }


def difference(theirs: dict[str, Any], mine: dict[str, Any]) -> float:
    """Return the largest relative difference of the equities that the peer states."""
    one = np.array([theirs["equity"], *theirs.get("sessions", [])])
    other = np.array([mine["equity"], *(mine["sessions"] if "sessions" in theirs else [])])
    return float(np.abs(one / other - 1.0).max())


def keep(path: Path = FIGURES) -> None:
    """Write the peers' figures on S1, with what they were made of."""
    cases = []
    for case in CASES:
        said = ask(case)
        figures = {key: said[key] for key in ("equity", "fills", "curve_sha256", "sessions") if key in said}
        script = f"benchmarks.engine.peer_{case.peer.partition('-')[0]}"
        command = f"python -m {script} '{json.dumps(case.asked)}'"
        made: dict[str, Any] = {"name": case.name, "peer": case.peer, "version": said["version"], "command": command}
        if case.size_at == "fill":
            figures.pop("sessions", None)  # the end is what is held there
        cases.append(made | {"size_at": case.size_at, "weight": case.weight} | figures)
    whole = {"input_sha256": inputs.digest(inputs.load(1)), "pins": peers.PINS, "cases": cases}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=1) + "\n")


def _row(measure: str, apart: float) -> Row:
    return Row(
        measure=measure,
        unit="relative",
        ours=apart,
        ours_cpu=None,
        limit=BOUND,
        limit_name="the bound",
        reach="<= 1e-9 relative",
        ok=apart <= BOUND,
    )


if __name__ == "__main__":
    keep()
