"""Splits and dividends out of adjusted closes and factor files, made up and real."""

from __future__ import annotations

import gzip
from datetime import date
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import bokeh_sampledata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapedeck.market import calendar as calendars
from tapedeck.market import layout
from tapedeck.market.vendor import derive, drop
from tapedeck.market.vendor.actions import Actions
from tapedeck.market.vendor.bar import AdjustedClose, Rounded
from tapedeck.market.vendor.derive import Interval
from tapedeck.market.vendor.reading import Reading

LEAN = Path(__file__).parents[3] / "shared/data/lean/equity/usa"
SESSIONS = calendars.get("XNYS").sessions(date(2020, 1, 1), date(2020, 3, 31))


@pytest.fixture(scope="module")
def real() -> Reading:
    """Daily bars of five stocks, 2000 to 2013, with adjusted closes."""
    body = gzip.decompress((Path(bokeh_sampledata.__file__).parent / "_data/stocks.csv.gz").read_bytes())
    reading = drop.read(layout.parse_dataset("equities-1d"), "stocks.csv", body)
    assert reading.problems.count == 0
    return reading


def splits(actions: Actions) -> list[tuple[date, float]]:
    return [(split.session, split.ratio) for split in actions.splits]


def paid(actions: Actions) -> dict[date, float]:
    return {dividend.session: dividend.amount for dividend in actions.dividends}


def test_apples_and_microsofts_splits_are_found_in_real_closes(real: Reading) -> None:
    assert splits(real.actions["AAPL"]) == [(date(2000, 6, 21), 2.0), (date(2005, 2, 28), 2.0)]
    assert splits(real.actions["MSFT"]) == [(date(2003, 2, 18), 2.0)]


def test_microsofts_three_dollars_of_2004_are_a_dividend(real: Reading) -> None:
    # 3.00 and the quarter's 0.08; the source's adjusted closes say 3.03 of them
    assert paid(real.actions["MSFT"])[date(2004, 11, 15)] == pytest.approx(3.08, abs=0.06)


def test_ibm_pays_every_quarter(real: Reading) -> None:
    days = sorted(paid(real.actions["IBM"]))
    assert len(days) == 52
    assert all(80 <= (after - before).days <= 102 for before, after in pairwise(days))
    assert splits(real.actions["IBM"]) == []


def test_google_and_facebook_had_none(real: Reading) -> None:
    for symbol in ("GOOG", "FB"):
        assert splits(real.actions[symbol]) == []
        assert paid(real.actions[symbol]) == {}


def closes(raw: list[float], factors: list[float], decimals: int) -> list[AdjustedClose]:
    rows = zip(SESSIONS, raw, factors, strict=False)
    return [AdjustedClose(day, close, Rounded.of(f"{close * factor:.{decimals}f}")) for day, close, factor in rows]


RATIOS = st.sampled_from([2.0, 3.0, 1.5, 7.0, 20.0, 0.1, 0.05, 1.25])


@given(RATIOS, st.integers(1, 50), st.floats(20, 900), st.integers(2, 12))
def test_a_split_is_found_at_its_session_whatever_the_rounding(
    ratio: float, at: int, price: float, decimals: int
) -> None:
    raw = [round(price * (1 + 0.01 * (row % 5)) / (ratio if row >= at else 1), 2) for row in range(60)]
    actions = derive.from_adjusted("A", closes(raw, [1 / ratio if row < at else 1.0 for row in range(60)], decimals))
    assert splits(actions) == [(SESSIONS[at], ratio)]
    assert all(amount / price < 0.02 for amount in paid(actions).values())


@given(st.sampled_from([0.25, 0.5, 1.13, 3.0]), st.integers(1, 50), st.integers(5, 12))
def test_a_dividend_is_found_to_the_cent(amount: float, at: int, decimals: int) -> None:
    raw = [round(100 + (row % 5), 2) for row in range(60)]
    kept = 1 - amount / raw[at - 1]
    actions = derive.from_adjusted("A", closes(raw, [kept if row < at else 1.0 for row in range(60)], decimals))
    assert paid(actions) == {SESSIONS[at]: pytest.approx(amount, abs=1e-3)}
    assert splits(actions) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("44.50", (44.5, 0.005)), ("9.9e-05", (9.9e-05, 5e-7)), ("8.8E1", (88, 0.5)), ("-.5e-1", (-0.05, 0.005))],
)
def test_a_printed_number_is_as_exact_as_its_last_digit(text: str, expected: tuple[float, float]) -> None:
    found = Rounded.of(text)
    assert (found.value, found.half) == pytest.approx(expected, rel=1e-12)


def test_a_split_and_a_dividend_of_one_session_are_told_apart() -> None:
    raw = [100.0] * 10 + [49.5] * 10
    actions = derive.from_adjusted("A", closes(raw, [0.99 / 2] * 10 + [1.0] * 10, 9))
    assert splits(actions) == [(SESSIONS[10], 2.0)]
    assert paid(actions) == {SESSIONS[10]: 1.0}


def test_a_jump_that_the_raw_price_does_not_share_is_no_split() -> None:
    raw = [100.0] * 20
    actions = derive.from_adjusted("A", closes(raw, [0.5] * 10 + [1.0] * 10, 9))
    assert splits(actions) == []


def test_a_change_hidden_by_the_rounding_is_noted() -> None:
    raw = [20.0] * 10 + [20.13] * 10
    actions = derive.from_adjusted("A", closes(raw, [0.9985] * 7 + [1.0] * 13, 1))
    assert all("by the rounding" in note for note in actions.notes)


def test_a_factor_that_falls_is_noted_and_not_used() -> None:
    actions = derive.from_adjusted("A", closes([100.0] * 20, [1.0] * 10 + [0.99] * 10, 9))
    assert (actions.splits, actions.dividends) == ((), ())
    assert "unused" in actions.notes[0]


@given(st.fractions(Fraction(1, 40), 50, max_denominator=40), st.floats(1e-9, 1e-4))
def test_the_simplest_fraction_of_an_interval_has_the_least_denominator(ratio: Fraction, wide: float) -> None:
    low, high = float(ratio) * (1 - wide), float(ratio) * (1 + wide)
    found = derive.simplest(Interval(low, high))
    assert low <= found <= high
    assert found.denominator <= ratio.denominator


needs_lean = pytest.mark.skipif(not LEAN.exists(), reason="needs ../shared/data/lean")


def factors(ticker: str) -> Actions:
    path = f"factor_files/{ticker}.csv"
    return drop.read(layout.parse_dataset("equities-1h"), path, (LEAN / path).read_bytes()).actions[ticker.upper()]


@needs_lean
def test_apples_factor_file_has_its_four_splits() -> None:
    days = [date(2000, 6, 21), date(2005, 2, 28), date(2014, 6, 9), date(2020, 8, 31)]
    assert splits(factors("aapl")) == list(zip(days, [2.0, 2.0, 7.0, 4.0], strict=True))


@needs_lean
def test_apples_factor_file_has_its_dividends_to_the_cent() -> None:
    amounts = paid(factors("aapl"))
    assert amounts[date(2012, 8, 9)] == 2.65
    assert amounts[date(2014, 5, 8)] == 3.29
    assert amounts[date(2014, 8, 7)] == 0.47
    assert amounts[date(2020, 8, 7)] == 0.82
    assert len(amounts) == 35


@needs_lean
@pytest.mark.parametrize(
    ("ticker", "expected"),
    [
        (
            "aig",
            [(date(1998, 8, 3), 1.5), (date(1999, 8, 2), 1.25), (date(2000, 7, 31), 1.5), (date(2009, 7, 1), 0.05)],
        ),
        ("goog", [(date(2015, 4, 27), 1.0027)]),
        ("uso", [(date(2020, 4, 29), 0.125)]),
        ("spy", []),
    ],
)
def test_other_factor_files(ticker: str, expected: list[tuple[date, float]]) -> None:
    assert splits(factors(ticker)) == expected


@needs_lean
def test_the_time_warner_reverse_split_and_aols_doublings() -> None:
    ratios = [ratio for _, ratio in splits(factors("twx"))]
    assert ratios == [2.0, 2.0, 2.0, 2.0, 1 / 3]
