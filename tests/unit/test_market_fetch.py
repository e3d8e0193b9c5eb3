"""Months come out of the store at once where there are few, and no more wait in memory than there is room for."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from threading import Barrier, Lock

import pytest

from tapedeck.market import encoding
from tapedeck.market.encoding import Month
from tapedeck.market.fetch import fetch
from tapedeck.market.leaf import MonthRef, Place
from tapedeck.market.store import THREADS
from tapedeck.market.wanted import Wanted
from tests.unit.closed_years import month

NAMES = [f"{year}-{number:02}" for year in range(2010, 2030) for number in range(1, 13)]
MONTH: Month = month("2020-01")
BODY = encoding.encode(MONTH)
MIB = 1 << 20


class Counting:
    """A store that has one month under every key, and counts what it was asked for."""

    def __init__(self, together: int = 1) -> None:
        self.gets, self._lock = 0, Lock()
        self._together = Barrier(together)  # none of the first so many has an answer before all of them have asked

    def get(self, key: str, version: str | None = None) -> bytes:
        assert key.endswith(".parquet") and version is None
        with self._lock:
            self.gets += 1
            first = self.gets <= self._together.parties
        if first:
            self._together.wait(30)
        return BODY

    def put(self, key: str, body: bytes, if_absent: bool = False) -> str | None:
        raise NotImplementedError

    def swap(self, key: str, body: bytes, expected: bytes | None) -> bool:
        raise NotImplementedError


def wants(count: int, size: int) -> list[Wanted]:
    """So many months whose objects are said to have `size` bytes."""
    ref = MonthRef(encoding.digest(MONTH), len(MONTH), 2, 0, date(2020, 1, 2), date(2020, 1, 31))
    return [Wanted("AAPL", name, f"{name}.parquet", ref, Place(None, size)) for name in NAMES[:count]]


@pytest.mark.parametrize("count", [2, 12, THREADS])
def test_a_few_months_are_asked_for_all_at_once(count: int) -> None:
    store = Counting(together=count)
    pieces = list(fetch(store, wants(count, 40_000), ("close",)))
    assert [want.name for piece in pieces for want in piece.wants] == NAMES[:count]


def test_with_many_small_months_every_thread_asks_all_the_same() -> None:
    store = Counting(together=THREADS)
    assert len(list(fetch(store, wants(240, 40_000), ("close",)))) == 240
    assert store.gets == 240


def test_no_more_waits_than_eight_mib_and_what_each_thread_has_in_hand() -> None:
    store = Counting()
    with closing(fetch(store, wants(240, MIB), ("close",))) as read:
        next(read)
        assert store.gets <= 8 + 2
        assert sum(1 for _ in read) == 239
