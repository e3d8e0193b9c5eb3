"""Blocks of rows taken at once come to what the same rows come to one by one, whatever stands in them."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tapedeck.market import layout
from tapedeck.market.vendor import batch, drop, tabular
from tapedeck.market.vendor.reading import BadRows, Reading
from tests.unit.test_ingest_policy import told

MINUTE = layout.parse_dataset("equities-1m")
DAILY = layout.parse_dataset("equities-1d")
PLAIN = "symbol,date,open,high,low,close,volume,note\n"
POLYGON = "ticker,volume,open,close,high,low,window_start,transactions\n"
DATABENTO = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"


def both(
    dataset: layout.Dataset, body: bytes, bad_rows: BadRows = "quarantine", block: int = 200
) -> tuple[Reading, bool]:
    """Read both ways; return the reading, and whether any block was taken at once."""
    taken = []
    real = batch.take

    def watched(*asked: object) -> bool:
        done = real(*asked)  # type: ignore[arg-type]
        taken.append(done)
        return done

    with patch.object(tabular, "BLOCK", block):
        with patch.object(batch, "take", lambda *_: False):
            one_by_one = drop.read(dataset, "a.csv", body, bad_rows=bad_rows)
        with patch.object(batch, "take", watched):
            at_once = drop.read(dataset, "a.csv", body, bad_rows=bad_rows)
    assert told(at_once) == told(one_by_one)
    assert at_once.problems.count == one_by_one.problems.count
    return at_once, any(taken)


price = st.sampled_from(["1", "1.5", "1.50", "2", "1.25", "100.123456789012"])
odd = st.sampled_from(
    ["0", "-1", "", "x", "1e1", "+2", " 1", "9007199254740992", "1.1234567890123", "0x1", "nan", "7", "93E-41"]
)
symbol = st.sampled_from(["A", "B", "b", "BRK.B"])
stamp = st.sampled_from(
    ["2020-01-02 09:30", "2020-01-02 09:31", "2020-01-02 09:32", "2020-02-03 10:00", "2020-01-03 15:59"]
)
when = st.sampled_from(
    ["2020-01-01 09:30", "2020-01-02 08:00", "2020-13-01", "2020-01-02T14:30:00Z", "2020-01-02 09:30:30"]
)


@st.composite
def rows(draw: st.DrawFn, strange: int) -> str:
    """A plain row; of `strange` in a hundred cells each something else."""

    def cell(usual: st.SearchStrategy[str], other: st.SearchStrategy[str]) -> str:
        return draw(other if draw(st.integers(0, 99)) < strange else usual)

    at = draw(price)
    prices = [cell(st.just(at), odd | price) for _ in range(4)]
    name, time = cell(symbol, st.sampled_from(["a/b", "", "Ä"])), cell(stamp, when)
    volume, note = (
        cell(st.sampled_from(["5", "7", "0.25"]), odd),
        cell(st.just("n"), st.sampled_from(['"q"', "a,b", '"'])),
    )
    return ",".join([name, time, *prices, volume, note])


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from([0, 2, 30]).flatmap(lambda strange: st.lists(rows(strange), max_size=15)),
    st.sampled_from(["\n", "\r\n", "\n\n", "\r"]),
    st.booleans(),
    st.integers(1, 400),
    st.sampled_from(["reject", "quarantine"]),
)
@example(['A,2020-01-02 09:30,1,1,1,1,5,"two', 'lines"', "A,2020-01-02 09:31,x,1,1,1,5,n"], "\n", True, 10, "reject")
@example(["A,2020-01-02 09:30,7,7,1,1,5,n", "A,2020-01-02 09:31,1,1,1,1,5,n"], "\n", True, 400, "reject")
def test_a_plain_table(lines: list[str], end: str, last: bool, block: int, bad_rows: BadRows) -> None:
    text = end.join([PLAIN.strip(), *lines]) + (end if last else "")
    both(MINUTE, text.encode(), bad_rows, block)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["AAPL", "BACpE", "X:BTC-USD", "a b"]),
            st.sampled_from([0, 1, 2, 10**6, 60 * 24 * 31]),
            st.sampled_from(["197.47", "197.47000000000000", "1e2", "-5"]),
        ),
        max_size=10,
    )
)
@example([("BACpE", 10**6, "1.5"), ("AAPL", 0, "1.5"), ("AAPL", 0, "1.5"), ("BACpE", 0, "1.5"), ("BACpE", 0, "1.5")])
def test_polygons_minutes(found: list[tuple[str, int, str]]) -> None:
    lines = [
        f"{name},10,{at},{at},{at},{at},{1744810200000000000 + minute * 60 * 10**9},1\n" for name, minute, at in found
    ]
    both(MINUTE, (POLYGON + "".join(lines)).encode())


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["33", "34", "35"]),
            st.sampled_from(["197250000000", "197.25", "9223372036854775807", "700000000000000"]),
            st.sampled_from(["1744810200000000000", "1744810260000000000", "2025-04-16T13:32:00Z", "7"]),
        ),
        max_size=8,
    )
)
def test_databentos_minutes(found: list[tuple[str, str, str]]) -> None:
    lines = [f"{at},{rtype},1,2,{price},{price},{price},{price},12,AAPL\n" for rtype, price, at in found]
    both(MINUTE, (DATABENTO + "".join(lines)).encode())


@pytest.mark.parametrize(
    ("dataset", "body"),
    [
        (
            MINUTE,
            PLAIN
            + "A,2020-01-02 09:30,1,1.5,1,1.25,5,n\nB,2020-01-02 09:30,1,1,1,1,5,n\nA,2020-01-02 08:00,1,1,1,1,5,n\n",
        ),
        (DAILY, PLAIN + "A,2020-01-02,1,1.5,1,1.5,5,n\nA,2020-01-02,1,1.5,1,1.5,5,n\nA,2020-01-01,1,1,1,1,5,n\n"),
        (MINUTE, POLYGON + "AAPL,1815,197.0,197.4,197.45,196.9,1744810200000000000,57\n"),
        (
            MINUTE,
            DATABENTO + "1744810200000000000,33,1,2,197250000000,197250000000,197000000000,197100000000,12,AAPL\n",
        ),
    ],
)
def test_what_is_sound_is_taken_at_once(dataset: layout.Dataset, body: str) -> None:
    reading, at_once = both(dataset, body.encode())
    assert at_once
    assert sum(series.rows for series in reading.series.values()) in (1, 2)


def test_a_row_that_is_wrong_is_named_with_its_line_in_whatever_block() -> None:
    sound = "".join(f"A,2020-01-02 10:{minute:02},1,1,1,1,5,n\n" for minute in range(60))
    body = (
        PLAIN
        + sound
        + "A,2020-01-02 11:00,1,1,2,1,5,n\n"
        + sound.replace("10:", "12:")
        + "A,2020-01-02 11:01,x,1,1,1,5,n\n"
    )
    reading, at_once = both(MINUTE, body.encode(), "reject", block=500)
    assert at_once
    assert [(one.line, one.code) for one in reading.problems.shown] == [(62, "price"), (123, "number")]


@pytest.mark.parametrize("text", ["93E-41", "2.5e-84", "9e-13", "1e005", ".5E+-5", "0E-6352"])
def test_a_number_that_arrow_would_round_or_take_for_one_is_refused_in_a_block_too(text: str) -> None:
    reading, _ = both(MINUTE, (PLAIN + f"A,2020-01-02 09:30,1,1,1,1,{text},n\n").encode())
    assert [(one.line, one.code) for one in reading.problems.shown] == [(2, "number")]


def test_scales_of_other_symbols_in_a_block_do_not_matter() -> None:
    """One symbol's twelve decimals beside another's large price: each fits by itself."""
    both_lines = "A,2020-01-02 09:30,0.000000000001,0.000000000001,0.000000000001,0.000000000001,5,n\n"
    large = "B,2020-01-02 09:30,900000,900000,900000,900000,5,n\n"
    reading, _ = both(MINUTE, (PLAIN + both_lines + large).encode())
    assert (reading.series["B"].months["2020-01"].price_scale, reading.problems.count) == (0, 0)


def test_a_line_without_an_end_is_refused() -> None:
    reading = drop.read(MINUTE, "a.csv", (PLAIN + "A" * 2_000_000).encode())
    assert reading.problems.shown[0].code == "text"
    assert "a line has more than" in reading.problems.shown[0].message
