"""S1 decided bar by bar, against backtesting.py, which decides bar by bar as well."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks import environments
from benchmarks.environments import STRATEGY
from benchmarks.row import Row
from benchmarks.s1 import bars
from benchmarks.s1.measure import PINS, REACH_TO_PEER, ROUNDS, agree, measure

BARS_A_SECOND = 1.0e6


def rows() -> list[Row]:
    """Measure S1 with `on_bar` in plain Python; the compiled pass only says that the numbers are right."""
    peer = environments.pinned("peer-backtesting", PINS)
    agree(measure(STRATEGY, "on_bar"), measure(STRATEGY, "limit"))
    seen: dict[str, list[dict[str, Any]]] = {"ours": [], "peer": []}
    for _ in range(ROUNDS):
        seen["ours"].append(measure(STRATEGY, "on_bar"))
        seen["peer"].append(measure(peer, "peer"))
    wall = {name: statistics.median(m["wall"] for m in runs) for name, runs in seen.items()}
    limit = bars.SESSIONS * bars.MINUTES / BARS_A_SECOND
    row = Row(
        measure="S1, on_bar in plain Python, one symbol x 98,280 minute bars, hot",
        unit="s",
        ours=wall["ours"],
        ours_cpu=statistics.median(m["cpu"] for m in seen["ours"]),
        peer=wall["peer"],
        peer_name="backtesting.py 0.6.6",
        limit=limit,
        limit_name="1.0 M bars/s",
        reach=f">= 1.0 M bars/s and >= {REACH_TO_PEER:g} times faster than the peer",
        ok=wall["ours"] <= limit and wall["peer"] / wall["ours"] >= REACH_TO_PEER,
    )
    return [row]
