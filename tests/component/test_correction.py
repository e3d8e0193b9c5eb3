"""A month is corrected through ingest: the run of before and the run of after are both had again, to the byte."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np

import tapedeck
from tapedeck import laptop
from tapedeck.market import calendar as calendars
from tapedeck.market import diff, history, snapshot
from tests.component.vendor_drops import HEADER, Folders

SESSIONS = calendars.get("XNYS").sessions(date(2020, 1, 2), date(2020, 6, 30))
STRATEGY = """\
# /// backtest
# dataset = "equities-1d"
# symbols = ["A", "B"]
# start = 2020-01-02
# end = 2020-06-30
# snapshot = "SNAPSHOT"
# ///
from tapedeck import Strategy, sma

class Crossover(Strategy):
    fields = ("close",)

    def lookback(self):
        return 10

    def weights(self, bars):
        return (sma(bars.close, 3) > sma(bars.close, 10)) / bars.width
"""


class Desk(Folders):
    """Corrects, and runs a strategy on what came of it."""

    def drop_rows(self, rows: list[str]) -> str:
        """Drop a file as its owner does; return the snapshot that it became."""
        told = self.drop("equities-1d/prices.csv", HEADER + "".join(rows))
        assert told["status"] == "INGESTED", told
        assert told["snapshot"]
        return told["snapshot"]

    def run(self, said: str) -> laptop.Finished:
        """Run the strategy on the snapshot that a reference names."""
        path = self.vendor.root / "crossover.py"
        path.write_text(STRATEGY.replace("SNAPSHOT", said))
        return laptop.run(path, self.market)


def rows(factor: float = 1.0, month: int | None = None) -> list[str]:
    """Daily bars of A and B; those of one month are multiplied by `factor`, and only they are there then."""
    made = []
    for symbol, seed in (("A", 1), ("B", 2)):
        walk = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, len(SESSIONS))))
        for day, close in zip(SESSIONS, walk, strict=True):
            if month in (None, day.month):
                price = f"{close * factor:.2f}"
                made.append(f"{symbol},{day},{price},{price},{price},{price},1000\n")
    return made


def test_results_before_and_after_a_correction_are_both_reproducible(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    before = desk.drop_rows(rows())
    first = desk.run("latest")
    seen = tapedeck.bars("A", "2020-03-01", "2020-03-31", dataset="equities-1d", data=desk.market)

    after = desk.drop_rows(rows(1.1, month=3))
    assert after != before
    second = desk.run("latest")
    assert (first.snapshot, second.snapshot) == (before, after)
    assert first.result_digest != second.result_digest

    then = history.load(desk.market, "equities-1d").published[0][0].isoformat()
    for said in (before, before[:10], f"as_of:{then}"):
        again = desk.run(said)
        assert (again.snapshot, again.result_digest) == (before, first.result_digest)
        assert again.equity.tobytes() == first.equity.tobytes()
    assert desk.run(after).result_digest == second.result_digest

    old = tapedeck.bars("A", "2020-03-01", "2020-03-31", dataset="equities-1d", data=desk.market, snapshot=before)
    assert old.close.tobytes() == seen.close.tobytes()
    two = [snapshot.load(desk.market, "equities-1d", id) for id in (before, after)]
    assert {s: one.months.changed for s, one in diff.diff(two[0], two[1]).symbols.items()} == {
        "A": ("2020-03",), "B": ("2020-03",),
    }  # fmt: skip


def test_a_withdrawn_correction_leaves_no_trace_in_what_is_dropped_next(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    before = desk.drop_rows(rows())
    wrong = desk.drop_rows(rows(10.0, month=3))
    spoiled = desk.run(wrong).result_digest
    history.withdraw(desk.market, "equities-1d", wrong, "prices in dimes")
    assert desk.run("latest").snapshot == before
    assert desk.drop_rows(rows(1.0, month=5)) == before  # the same bars again: the same content, the same snapshot
    assert desk.drop_rows(rows(1.1, month=3)) not in (before, wrong)
    assert snapshot.load(desk.market, "equities-1d", wrong).id == wrong  # who pinned it reads it still
    assert spoiled
