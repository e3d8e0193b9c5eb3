"""Whether memory grows with a run's length: 500 symbols, one and five years of distinct minute bars, in the pod."""

from __future__ import annotations

import json
import sys
from datetime import date

from benchmarks.memory import market
from benchmarks.memory.attempt import Took, run
from benchmarks.row import Row
from benchmarks.sandbox.machine import machine

REACH = 1.1
# Years -> from when to when. The one is a year with splits, as the five are: until the first one of a run the adjusted
# field and the raw one share their bytes.
SPANS = {1: (date(2017, 1, 1), date(2017, 12, 31)), 5: (market.FIRST, market.LAST)}


def rows() -> list[Row]:
    """Run both, the short one first."""
    _, snapshot = market.load()
    with machine() as here:
        seen = {years: run(here, f"years-{years}", snapshot, span) for years, span in SPANS.items()}
    for years, took in seen.items():
        print(f"  {years} year(s): {_words(took)}", file=sys.stderr)
    ours, limit = seen[5].peak, seen[1].peak
    return [
        Row(
            measure=f"peak memory of sidecar, strategy and volumes, {len(market.SYMBOLS)} symbols x 5 years of minutes",
            unit="B",
            ours=ours,
            ours_cpu=seen[5].cpu,
            limit=limit,
            limit_name="x 1 year",
            reach=f"<= {REACH:g} times",
            ok=ours / limit <= REACH,
        )
    ]


def _words(took: Took) -> str:
    mib = {name: round(getattr(took, name) / 2**20) for name in ("peak", "sidecar", "strategy")}
    return f"{took.cells / 1e6:.0f} M bars, {took.wall:.0f} s, {took.cpu:.0f} s CPU, MiB {json.dumps(mib)}"
