"""A file of shorter bars than the dataset's is refused by line, and nothing of it is taken for the longer ones."""

from __future__ import annotations

import io
import zipfile

import pytest

from tapedeck.market import layout
from tapedeck.market.vendor import drop

POLYGON = "ticker,volume,open,close,high,low,window_start,transactions\n"
PLAIN = "symbol,date,open,high,low,close,volume\n"


def zipped(name: str, text: str) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr(name, text)
    return body.getvalue()


def polygons(*minutes: int) -> bytes:
    """Minutes after New York's midnight of 2025-04-16."""
    starts = (1744776000000000000 + minute * 60 * 10**9 for minute in minutes)
    return (POLYGON + "".join(f"AAPL,5,1,1,1,1,{start},1\n" for start in starts)).encode()


LEAN_MINUTES = zipped("20200702_spy_minute_trade.csv", "36000000,1,1,1,1,1\n36060000,1,1,1,1,1\n")
LEAN_HOURS = zipped("spy.csv", "20200702 00:00,1,1,1,1,1\n20200702 10:00,1,1,1,1,1\n")
KLINES = b"1704067200000,1,1,1,1,5,0,5,1,1,1,0\n1704070800000,1,1,1,1,5,0,5,1,1,1,0\n"


@pytest.mark.parametrize(
    ("dataset", "path", "body", "line"),
    [
        ("equities-1h", "a.csv", polygons(600, 601), 3),
        ("equities-1h", "20200702_trade.zip", LEAN_MINUTES, 2),
        ("equities-1h", "a.csv", (PLAIN + "A,2020-07-02 10:00,1,1,1,1,5\nA,2020-07-02 10:30,1,1,1,1,5\n").encode(), 3),
        ("equities-1d", "a.csv", polygons(0, 600), 3),
        ("equities-1d", "spy.zip", LEAN_HOURS, 2),
        ("crypto-1d-binance", "BTCUSDT-1d-2024-01.csv", KLINES, 2),
    ],
)
def test_a_row_that_is_no_start_of_the_datasets_bars_is_named(dataset: str, path: str, body: bytes, line: int) -> None:
    for bad_rows in ("reject", "quarantine"):
        reading = drop.read(layout.parse_dataset(dataset), path, body, bad_rows=bad_rows)
        (problem,) = reading.problems.shown
        assert problem.line == line
        assert f"is no start of a bar of {dataset.split('-')[1]}" in problem.message


def test_what_lies_outside_of_the_session_is_left_out_wherever_it_starts() -> None:
    rows = "A,2020-07-02 08:30,1,1,1,1,5\nA,2020-07-02 10:00,1,1,1,1,5\nA,2020-07-02 16:30,1,1,1,1,5\n"
    reading = drop.read(layout.parse_dataset("equities-1h"), "a.csv", (PLAIN + rows).encode())
    assert (reading.problems.shown, reading.left_out, len(reading.series["A"])) == (
        [],
        {"outside of the session": 2},
        1,
    )


@pytest.mark.parametrize("clock", ["3420_0000", " 34200000", "+34200000", "-60000", "٣٤٢٠٠٠٠٠"])
def test_leans_milliseconds_are_digits(clock: str) -> None:
    body = zipped("20200702_spy_minute_trade.csv", f"34260000,1,1,1,1,1\n{clock},1,1,1,1,1\n")
    (problem,) = drop.read(layout.parse_dataset("equities-1m"), "20200702_trade.zip", body).problems.shown
    assert (problem.line, problem.code) == (2, "row")
