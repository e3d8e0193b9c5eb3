"""Market data: what a row takes in the bucket, and a hit of the node's cache against ArcticDB and mapped arrays."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from benchmarks import environments
from benchmarks.environments import SIDECAR
from benchmarks.process import answer
from benchmarks.row import Row

PINS = ("arcticdb==6.28.2", "pandas==2.3.3", "numpy==2.4.6")
ROUNDS = 5
BYTES_A_ROW, FLOOR_BYTES_A_ROW = 5.5, 4.3  # the floor: open, high and low as offsets, seen on other random bars
TO_PEER, TO_LIMIT = 1.5, 1.3


def rows() -> list[Row]:
    """Measure everything, hits with and without the columns that a strategy seldom asks for."""
    peer = environments.pinned("peer-arcticdb", PINS)
    return [stored(), *(hit(peer, which, name) for which, name in (("close", "ts + close"), ("all", "all columns")))]


def stored() -> Row:
    """Return what a row takes in the bucket."""
    told = answer(SIDECAR, "benchmarks.data.stored")
    ours = told["bytes"] / told["rows"]
    return Row(
        measure="market data, bytes a row at 2 decimals, monthly files",
        unit="B",
        ours=ours,
        ours_cpu=None,
        limit=FLOOR_BYTES_A_ROW,
        limit_name="prices as offsets",
        reach=f"<= {BYTES_A_ROW:g} B",
        ok=ours <= BYTES_A_ROW,
    )


def hit(peer: Path, which: str, name: str) -> Row:
    """Return a hit of the cache, into one block on the calendar's grid, every value touched."""
    seen: dict[str, list[dict[str, Any]]] = {"limit": [], "peer": [], "ours": []}
    for _ in range(ROUNDS):
        for who, python in (("limit", SIDECAR), ("peer", peer), ("ours", SIDECAR)):
            seen[who].append(answer(python, f"benchmarks.data.{who}", which))
    totals = [runs[0]["sum"] for runs in seen.values()]
    if max(totals) / min(totals) - 1 > 1e-9:
        raise SystemExit(f"the readers do not agree: {totals}")
    wall = {who: statistics.median(m["wall"] for m in runs) for who, runs in seen.items()}
    faster, slower = wall["peer"] / wall["ours"], wall["ours"] / wall["limit"]
    return Row(
        measure=f"market data, cache hit, 100 symbols x 1 year of minutes, {name}",
        unit="s",
        ours=wall["ours"],
        ours_cpu=statistics.median(m["cpu"] for m in seen["ours"]),
        peer=wall["peer"],
        peer_name="ArcticDB 6.28.2, LMDB",
        limit=wall["limit"],
        limit_name="mapped arrays",
        reach=f">= {TO_PEER:g} times faster than the peer, <= {TO_LIMIT:g} times the limit",
        ok=faster >= TO_PEER and slower <= TO_LIMIT,
    )
