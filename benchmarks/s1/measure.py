"""S1 against backtesting.py and a compiled single pass."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from benchmarks import environments
from benchmarks.environments import STRATEGY
from benchmarks.process import answer
from benchmarks.row import Row

PINS = ("backtesting==0.6.6", "pandas==2.3.3", "numpy==2.3.5")
ROUNDS = 5
REACH_TO_PEER = 4.0  # times faster than the peer, at least: what plain-Python strategies are to reach, the slower level


def rows() -> list[Row]:
    """Measure S1 against backtesting.py and a compiled single pass."""
    peer = environments.pinned("peer-backtesting", PINS)
    seen: dict[str, list[dict[str, Any]]] = {"ours": [], "peer": [], "limit": []}
    for _ in range(ROUNDS):
        for name, python in (("ours", STRATEGY), ("peer", peer), ("limit", STRATEGY)):
            seen[name].append(measure(python, name))
    agree(seen["ours"][0], seen["limit"][0])
    wall = {name: statistics.median(m["wall"] for m in runs) for name, runs in seen.items()}
    faster = wall["peer"] / wall["ours"]
    row = Row(
        measure="S1, weights, one symbol x 98,280 minute bars, hot",
        unit="s",
        ours=wall["ours"],
        ours_cpu=statistics.median(m["cpu"] for m in seen["ours"]),
        peer=wall["peer"],
        peer_name="backtesting.py 0.6.6",
        limit=wall["limit"],
        limit_name="compiled single pass",
        reach=f">= {REACH_TO_PEER:g} times faster than the peer",
        ok=faster >= REACH_TO_PEER,
    )
    return [row]


def measure(python: Path, name: str) -> dict[str, Any]:
    """Return one measurement by a module of this folder, made in a process of its own."""
    return answer(python, f"benchmarks.s1.{name}", environ={"OMP_NUM_THREADS": "1"})


def agree(ours: dict[str, Any], limit: dict[str, Any]) -> None:
    """Refuse to compare speeds of runs that do not come to the same result."""
    if ours["fills"] != limit["fills"] or abs(ours["equity"] / limit["equity"] - 1) > 1e-6:
        raise SystemExit(f"ours and the limit do not agree: {ours} {limit}")
