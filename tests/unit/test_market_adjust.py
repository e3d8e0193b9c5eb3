from __future__ import annotations

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tapedeck.market.actions import Dividend, Split
from tapedeck.market.adjust import Factors, adjusted, forward_factors
from tapedeck.market.block import Block
from tapedeck.market.calendar import day_number

DAYS = [date(2020, 1, day) for day in range(1, 31)]
SESSION = np.array([day_number(day) for day in DAYS], np.int32)


def factors(mode: str, anchor: date = DAYS[10], upto: int = 30) -> np.ndarray:
    return dense(by_column(mode, anchor, upto), upto)


def by_column(mode: str, anchor: date = DAYS[10], upto: int = 30) -> Factors:
    splits = [Split("A", DAYS[5], 2.0), Split("A", DAYS[20], 7.0), Split("Z", DAYS[20], 3.0)]
    paid = [Dividend("B", DAYS[15], 10.0)]
    return forward_factors(splits, paid, {paid[0]: 100.0}, ["A", "B"], SESSION[:upto], anchor, mode)  # type: ignore[arg-type]


def dense(factors: Factors, rows: int = 30, width: int = 2) -> np.ndarray:
    ones = np.ones(rows)
    return np.column_stack([factors.get(column, ones) for column in range(width)])


def test_the_anchors_row_is_raw() -> None:
    for mode in ("split", "total", "raw"):
        assert (factors(mode)[10] == 1).all()


def test_a_split_shows_no_jump_in_signals() -> None:
    raw = np.where(np.arange(30) < 5, 2.0, np.where(np.arange(30) < 20, 1.0, 1 / 7))
    assert np.allclose(raw * factors("split")[:, 0], 1.0)


def test_a_split_on_the_anchors_own_session_is_history() -> None:
    at = forward_factors([Split("A", DAYS[10], 2.0)], [], None, ["A"], SESSION, DAYS[10], "split")
    assert at[0].tolist() == [0.5] * 10 + [1.0] * 20


def test_total_adds_dividends_the_same_way_and_split_does_not() -> None:
    assert (factors("split")[:, 1] == 1).all()
    assert factors("total")[14, 1] == 1
    assert factors("total")[15, 1] == 100 / 90


def test_raw_is_raw() -> None:
    assert (factors("raw") == 1).all()


def test_what_no_action_touches_in_these_rows_has_no_factors() -> None:
    assert set(by_column("split")) == {0} and set(by_column("total")) == {0, 1}
    assert set(by_column("total", DAYS[10], 5)) == {0}  # all five lie before the split of the sixth day
    assert not by_column("raw")
    block = Block(("A", "B"), SESSION.astype(np.int64), SESSION, {"close": np.full((30, 2), 2.0)})
    assert adjusted(block, {})["close"] is block.fields["close"]


@given(st.integers(11, 30))
def test_a_price_once_seen_never_changes(upto: int) -> None:
    assert factors("total", upto=upto).tobytes() == factors("total")[:upto].tobytes()


def test_a_dividend_without_a_close_or_above_it_is_left_out() -> None:
    paid = [Dividend("B", DAYS[15], 10.0)]
    for closes in ({}, {paid[0]: 10.0}, None):
        assert not forward_factors([], paid, closes, ["B"], SESSION, DAYS[0], "total")


def test_prices_are_multiplied_and_volume_divided_by_splits_only() -> None:
    fields = {"close": np.full((30, 2), 2.0), "volume": np.full((30, 2), 100.0)}
    block = Block(("A", "B"), SESSION.astype(np.int64), SESSION, fields)
    seen = adjusted(block, by_column("total"), by_column("split"))
    assert seen["close"][25, 0] == 14.0
    assert seen["volume"][25, 0] == 100 / 7
    assert seen["close"][25, 1] == 2.0 * (100 / 90)
    assert seen["volume"][25, 1] == 100.0
