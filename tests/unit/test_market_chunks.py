from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapedeck.market import calendar as calendars
from tapedeck.market import chunks
from tapedeck.market.grid import grid

XNYS = calendars.get("XNYS")
DAYS = st.dates(date(2015, 1, 2), date(2020, 12, 31))


@given(
    st.tuples(DAYS, DAYS),
    st.sampled_from(["1d", "1h"]),
    st.integers(1, 50),
    st.integers(1, 5),
    st.integers(6_000, 10**6),
)
def test_a_plan_covers_every_session_once_within_months_and_budget(
    days: tuple[date, date], bar: str, symbols: int, fields: int, budget: int
) -> None:
    start, end = min(days), max(days)
    sessions = XNYS.sessions(start, end)
    if not sessions:
        return
    row = 12 + 16 * symbols * fields
    if 7 * row > budget:
        return
    plan = chunks.plan(XNYS, bar, start, end, symbols, fields, "weights", budget)
    assert [day for first, last in plan for day in XNYS.sessions(first, last)] == sessions
    for first, last in plan:
        assert (first.year, first.month) == (last.year, last.month)
        assert len(grid("XNYS", bar, first, last)) * row <= budget
    assert all(one[1] < other[0] for one, other in pairwise(plan))


def test_months_are_not_cut_when_the_budget_allows_them() -> None:
    plan = chunks.plan(XNYS, "1d", date(2004, 1, 1), date(2012, 12, 31), 3, 1, "weights", 2**28)
    assert len(plan) == 9 * 12
    assert plan[0] == (date(2004, 1, 2), date(2004, 1, 30))


def test_every_month_is_cut_into_as_many_parts_as_the_longest_needs() -> None:
    budget = 10 * 390 * (12 + 16 * 100)  # ten sessions of a hundred symbols; December 2018 has 19, October 23
    plan = chunks.plan(XNYS, "1m", date(2018, 10, 1), date(2018, 12, 31), 100, 1, "weights", budget)
    assert [len(XNYS.sessions(*pair)) for pair in plan] == [7, 8, 8, 7, 7, 7, 6, 6, 7]


def test_main_has_one_chunk() -> None:
    assert chunks.plan(XNYS, "1d", date(2004, 1, 1), date(2012, 12, 31), 3, 5, "main", 2**28) == [
        (date(2004, 1, 2), date(2012, 12, 31))
    ]


def test_a_main_over_the_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="fewer symbols"):
        chunks.plan(XNYS, "1m", date(2004, 1, 1), date(2012, 12, 31), 500, 5, "main", 2**28)


def test_a_session_over_the_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="one session"):
        chunks.plan(XNYS, "1m", date(2004, 1, 5), date(2004, 1, 5), 500, 5, "weights", 2**20)


def test_a_range_without_a_session_is_refused() -> None:
    with pytest.raises(ValueError, match="no session"):
        chunks.plan(XNYS, "1d", date(2004, 1, 3), date(2004, 1, 4), 1, 1, "weights", 2**20)
