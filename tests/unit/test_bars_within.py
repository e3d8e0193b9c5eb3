"""`tapedeck.bars(...)` within a run: what the run has, by the call's own words, or refused by name."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

import tapedeck
from tapedeck import within
from tapedeck.market import grid
from tapedeck.market.errors import MarketError
from tapedeck.run import Run

FIRST, LAST = date(2020, 1, 2), date(2020, 1, 31)  # a holiday before it, a weekend after it


class Port:
    """A run's bars: daily ones of A, raw 1, 2, 3 ..., as seen ten times that."""

    def bars(self) -> tapedeck.Bars:
        at = grid.grid("XNYS", "1d", FIRST, LAST)
        raw = np.arange(1.0, len(at.ts) + 1)[:, None]
        ts, session = np.array(at.ts, np.int64), np.array(at.session, np.int32)
        return tapedeck.Bars(symbols=["A"], ts=ts, session=session, fields={"close": raw * 10}, raw={"close": raw})

    def submit(self, decisions: object) -> None:
        raise NotImplementedError


def ask(adjusted: str, start: str = "2020-01-02", end: str = "2020-01-31", **more: Any) -> list[float]:
    run = Run(Port(), ["A"], {}, "equities-1d", "abc", adjust=adjusted)
    with within.running(run):
        read = tapedeck.bars("A", start, end, dataset="equities-1d", fields=("close",), **more)
    return list(read.close[:, 0])


@pytest.mark.parametrize("mode", ["split", "total", "raw"])
def test_prices_are_adjusted_as_asked_for_or_refused(mode: str) -> None:
    """Never the run's own adjustment under another's name."""
    assert ask(mode, adjust=mode)[:2] == ([1, 2] if mode == "raw" else [10, 20])
    assert ask(mode, adjust="raw")[:2] == [1, 2]
    for other in {"split", "total"} - {mode}:
        with pytest.raises(MarketError, match=f'this run\'s prices are adjusted by adjust="{mode}"'):
            ask(mode, adjust=other)


def test_dates_without_a_session_at_the_runs_ends_are_asked_for_as_outside() -> None:
    assert len(ask("split", "2020-01-01", "2020-02-02")) == len(ask("split")) == 21
    for start, end in (("2019-12-31", "2020-01-31"), ("2020-01-01", "2020-02-03")):
        with pytest.raises(MarketError, match="data goes from 2020-01-02 to 2020-01-31"):
            ask("split", start, end)
