"""What a dataset's policy does with bad rows, what is told of a drop, and that how it is cut changes nothing."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapedeck.market import calendar as calendars
from tapedeck.market import encoding, layout, reader
from tapedeck.market.store import FolderStore
from tapedeck.market.vendor import drop, summary
from tapedeck.market.vendor.accept import accept
from tapedeck.market.vendor.reading import BadRows, Reading

LEAN = Path(__file__).parents[3] / "shared/data/lean"
DAILY = layout.parse_dataset("equities-1d")
MINUTE = layout.parse_dataset("equities-1m")
HEADER = "symbol,date,open,high,low,close,volume,adj_close\n"
BAD = HEADER + (
    "A,2020-01-02,1,1,1,1,5,\n"
    "A,2020-01-03,1,1,0,1,5,\n"
    "A,2020-01-06,-1,1,-1,1,5,\n"
    "A,2020-01-07,2,1,2,1,5,\n"
    "A,2020-01-08,1,1,1,1,5,\n"
    "A,2020-01-08,2,2,2,2,5,\n"
    "A,2020-01-10,1,1,1,1,5,\n"
    "A,2020-01-10,1,1,1,1,5,\n"
)


def read(text: str, bad_rows: BadRows = "reject", dataset: layout.Dataset = DAILY) -> Reading:
    return drop.read(dataset, "a.csv", text.encode(), bad_rows=bad_rows)


def test_by_default_a_bad_row_refuses_the_drop_and_each_is_named() -> None:
    reading = read(BAD)
    assert [(one.line, one.code) for one in reading.problems.shown] == [
        (3, "price"),
        (4, "price"),
        (5, "price"),
        (7, "conflict"),
    ]


def test_quarantine_holds_bad_rows_back_and_tells_each() -> None:
    reading = read(BAD, "quarantine")
    assert reading.problems.count == 0
    assert reading.findings.counts == {"price": 3, "conflict": 1}
    assert [one.line for one in reading.findings.shown] == [3, 4, 5, 7]
    (month,) = reading.series["A"].months.values()
    starts = [calendars.get("XNYS").starts("1d", date(2020, 1, day))[0] for day in (2, 10)]
    assert list(month.columns["ts"]) == starts  # of the two bars of the 8th neither is taken
    told = summary.symbols(reading)["A"]
    assert (told["rows"], told["missing_sessions"], told["duplicates"]) == (2, 5, 1)


def test_rows_left_out_and_put_right_are_told_with_their_lines() -> None:
    days = ("06", "02", "01", "03", "02", "12", "09")  # unsorted, the 1st and the 12th without a session, the 2nd twice
    reading = read(HEADER + "".join(f"A,2020-01-{day},1,1,1,1,5,\n" for day in days))
    assert reading.left_out == {"no session": 2}
    assert reading.places == {
        "no session": ["a.csv:4", "a.csv:7"],
        "unsorted": ["a.csv:3", "a.csv:6"],
        "duplicate": ["a.csv:6"],
    }
    told = summary.symbols(reading)["A"]
    assert (told["duplicates"], told["unsorted"], told["missing_sessions"]) == (1, 2, 2)
    assert told["gaps"] == [("2020-01-07", "2020-01-08")]


def test_of_a_reason_the_first_ten_places_are_told() -> None:
    reading = read(HEADER + "A,2020-01-02,1,1,1,1,5,\n" + "A,2020-01-01,1,1,1,1,5,\n" * 20)
    assert reading.left_out == {"no session": 20}
    assert reading.places["no session"] == [f"a.csv:{line}" for line in range(3, 13)]


def test_quarantine_takes_no_row_that_does_not_read() -> None:
    reading = read(HEADER + "A,2020-01-02,1,1,1,x,5,\n", "quarantine")
    assert reading.problems.shown[0].code == "number"


def test_a_drop_of_which_all_is_held_back_is_refused() -> None:
    reading = read(HEADER + "A,2020-01-02,0,1,0,1,5,\n", "quarantine")
    assert reading.problems.shown[0].code == "empty"
    assert reading.findings.counts == {"price": 1}


def test_missing_minutes_of_a_session_are_counted() -> None:
    rows = [f"A,2020-07-0{day} 09:{minute},1,1,1,1,5,\n" for day in (1, 6) for minute in (30, 31, 40)]
    told = summary.symbols(read(HEADER + "".join(rows), dataset=MINUTE))["A"]
    assert (told["missing_sessions"], told["missing_bars"]) == (1, 2 * 387)


@pytest.mark.parametrize(
    ("prices", "ratio"),
    [
        ("645.57,645.57,92.23,92.42", "7 to 1"),
        ("100,200,100,199", "2 to 1"),
        ("100,150,100,150", None),  # a jump, but no split's
        ("100,200,100,150", None),  # prices between the levels: a bar that moved
        ("10,10.5,9.9,10.1", None),
    ],
)
def test_a_bar_at_two_levels_is_found_and_told(prices: str, ratio: str | None) -> None:
    reading = read(HEADER + f"A,2014-06-09 04:00,{prices},600,\nA,2014-06-09 09:30,{prices},600,\n", dataset=MINUTE)
    assert len(reading.series["A"]) == 1
    if ratio is None:
        assert reading.findings.shown == []
        return
    assert reading.findings.counts == {"two-scales": 2}
    outside, inside = reading.findings.shown
    assert (outside.line, outside.message) == (
        2,
        f"A: the bar of 2014-06-09 04:00 holds two scales, {ratio}; outside of the session, left out",
    )
    assert inside.message.endswith("; kept")


@pytest.mark.skipif(not LEAN.exists(), reason="needs ../shared/data/lean")
def test_apples_bar_of_its_split_that_holds_both_scales_is_named() -> None:
    path = LEAN / "equity/usa/minute/aapl/20140609_trade.zip"
    reading = drop.read(MINUTE, "aapl.zip", path.read_bytes())
    (found,) = reading.findings.shown
    assert (found.line, found.code) == (1, "two-scales")
    assert "2014-06-09 04:00 holds two scales, 7 to 1" in found.message


def told(reading: Reading) -> object:
    months = {
        symbol: {name: encoding.digest(month) for name, month in series.months.items()}
        for symbol, series in reading.series.items()
        if not reading.problems.count
    }
    shown = reading.problems.shown, reading.findings.shown, reading.left_out, reading.actions, reading.places
    return months, shown, summary.symbols(reading) if not reading.problems.count else None


price = st.sampled_from(["1", "1.5", "2", "1e3", "0.000000000001", "0", "9007199254740991"])
row = st.tuples(st.sampled_from("AB"), st.sampled_from(["01-02", "01-03", "02-03", "02-04", "12-25"]), price, price)


@settings(deadline=None)
@given(st.lists(row, max_size=12), st.integers(1, 6), st.sampled_from(["reject", "quarantine"]))
def test_cutting_the_batches_differently_changes_nothing(
    rows: list[tuple[str, str, str, str]], held: int, bad_rows: BadRows
) -> None:
    lines = [f"{symbol},2020-{day},{at},{at},{at},{at},5,{adjusted}\n" for symbol, day, at, adjusted in rows]
    body = (HEADER + "".join(lines)).encode()
    whole = drop.read(DAILY, "a.csv", body, bad_rows=bad_rows)
    assert told(drop.read(DAILY, "a.csv", body, bad_rows=bad_rows, held_rows=held)) == told(whole)


decimals = st.decimals(min_value="0.0001", max_value="99999", places=4, allow_nan=False)
SESSIONS = calendars.get("XNYS").sessions(date(2020, 1, 2), date(2020, 3, 31))


@settings(deadline=None, max_examples=30)
@given(st.dictionaries(st.tuples(st.sampled_from("AB"), st.sampled_from(SESSIONS)), decimals, min_size=1, max_size=8))
def test_what_is_ingested_is_read_back_value_by_value(wanted: dict[tuple[str, date], Decimal]) -> None:
    lines = [f"{symbol},{day},{at},{at},{at},{at},{at},\n" for (symbol, day), at in wanted.items()]
    reading = drop.read(DAILY, "a.csv", (HEADER + "".join(lines)).encode(), held_rows=3)
    with TemporaryDirectory() as folder:
        store = FolderStore(Path(folder))
        at = accept(store, reading).snapshot
        block = reader.read_block(store, at, at.symbols, ["close", "volume"], SESSIONS[0], SESSIONS[-1])
        for column, symbol in enumerate(at.symbols):
            own = [float(wanted.get((symbol, day), "nan")) for day in SESSIONS]
            np.testing.assert_array_equal(block.fields["close"][:, column], own)
            np.testing.assert_array_equal(block.fields["volume"][:, column], np.nan_to_num(own))
