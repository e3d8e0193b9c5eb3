"""Vendors' files: what is read, what is left out, what is refused, where it is said to be wrong."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapedeck.market import calendar as calendars
from tapedeck.market import layout
from tapedeck.market.encoding import COLUMNS
from tapedeck.market.errors import DatasetNameError
from tapedeck.market.vendor import drop, problems
from tapedeck.market.vendor.reading import Reading

LEAN = Path(__file__).parents[3] / "shared/data/lean"
DAILY = layout.parse_dataset("equities-1d")
HOURLY = layout.parse_dataset("equities-1h")
MINUTE = layout.parse_dataset("equities-1m")
CRYPTO = layout.parse_dataset("crypto-1m-coinbase")
HEADER = "symbol,date,open,high,low,close,volume\n"
GOOD = "AAPL,2020-01-02,74.06,75.15,73.7975,75.0875,135480400\n"


def read(text: str, path: str = "prices.csv", dataset: layout.Dataset = DAILY) -> Reading:
    return drop.read(dataset, path, text.encode())


def zipped(members: dict[str, bytes | str]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return body.getvalue()


def values(reading: Reading, symbol: str) -> dict[str, dict[str, list[float]]]:
    assert reading.problems.shown == []
    out = {}
    for name, month in reading.series[symbol].months.items():
        scale = dict.fromkeys(COLUMNS, month.price_scale) | {"ts": 0, "volume": month.volume_scale}
        out[name] = {column: [value / 10 ** scale[column] for value in month.columns[column]] for column in COLUMNS}
    return out


def only_problem(reading: Reading) -> tuple[int | None, str, str]:
    (problem,) = reading.problems.shown
    return problem.line, problem.code, problem.message


def test_a_plain_csv_gives_its_values() -> None:
    (month,) = values(read(HEADER + GOOD), "AAPL").values()
    assert month["close"] == [75.0875]
    assert month["volume"] == [135480400]
    assert month["ts"] == [calendars.get("XNYS").starts("1d", date(2020, 1, 2))[0]]


@pytest.mark.parametrize(
    "header",
    [
        "Ticker,Date,Open,High,Low,Close,Volume",
        "SYMBOL, DATE ,OPEN,HIGH,LOW,CLOSE,VOLUME",
        "\ufeffsymbol,date,open,high,low,close,volume",
    ],
)
def test_header_names_are_taken_in_any_case(header: str) -> None:
    assert list(values(read(f"{header}\n{GOOD}"), "AAPL")) == ["2020-01"]


def test_without_a_symbol_column_the_files_name_is_the_symbol() -> None:
    text = "Date,Open,High,Low,Close,Adj Close,Volume\n2020-01-02,74,75,73,75,74.5,100\n"
    reading = read(text, path="folder/brk.b.csv")
    assert list(reading.series) == ["BRK.B"]
    assert reading.actions["BRK.B"].splits == ()


def test_unsorted_rows_are_sorted_and_repeats_counted() -> None:
    rows = [f"A,2020-01-{day:02},1,1,1,1,{day}\n" for day in (6, 2, 3, 2)]
    reading = read(HEADER + "".join(rows))
    assert values(reading, "A")["2020-01"]["volume"] == [2, 3, 6]
    assert reading.series["A"].duplicates == 1
    assert reading.series["A"].unsorted == 2


def test_two_bars_of_one_time_that_differ_are_refused() -> None:
    reading = read(HEADER + "A,2020-01-02,1,1,1,1,5\nA,2020-01-02,1,2,1,1,5\n")
    assert only_problem(reading) == (3, "conflict", "A has another bar of this time in prices.csv, line 2")


@pytest.mark.parametrize("other", ["2.5", ""])
def test_two_bars_of_one_time_that_differ_in_their_adjusted_close_are_refused(other: str) -> None:
    """Which of the two came first would decide what is derived."""
    rows = f"A,2020-01-02,1,1,1,1,5,1.5\nA,2020-01-02,1,1,1,1,5,{other}\n"
    (problem,) = read(HEADER.strip() + ",adj_close\n" + rows).problems.shown
    assert (problem.line, problem.code) == (3, "conflict")


def test_bars_outside_of_the_calendar_are_left_out_and_counted() -> None:
    rows = "A,2020-01-01,1,1,1,1,5\nA,2020-01-04,1,1,1,1,5\nA,1950-01-04,1,1,1,1,5\nA,2020-01-02,1,1,1,1,5\n"
    reading = read(HEADER + rows)
    assert len(reading.series["A"]) == 1
    assert reading.left_out == {"no session": 3}


@pytest.mark.parametrize(
    ("row", "code", "says"),
    [
        ("A,2020-01-02,1,1,1,x,5", "number", "close: 'x' is no decimal number"),
        ("A,2020-01-02,1,1,1,,5", "number", "close: ''"),
        ("A,2020-01-02,1,1,1,nan,5", "number", "'nan'"),
        ("A,2020-01-02,0,1,0,1,5", "price", "open is 0: prices are above 0"),
        ("A,2020-01-02,1,1,-1,1,5", "price", "low is -1"),
        ("A,2020-01-02,2,1,2,2,5", "price", "high 1 is below low 2"),
        ("A,2020-01-02,3,2,1,2,5", "price", "open 3 is outside of low 1 and high 2"),
        ("A,2020-01-02,1,2,1,2.5,5", "price", "close 2.5 is outside"),
        ("A,2020-01-02,1,1,1,1,-5", "price", "volume is -5"),
        ("A,2020-13-02,1,1,1,1,5", "date", "'2020-13-02' is no date"),
        ("A,02/01/2020,1,1,1,1,5", "date", "is no date"),
        ("A,2020-01-02,1,1,1,1", "columns", "6 columns, the header has 7"),
        ("a/b,2020-01-02,1,1,1,1,5", "symbol", "'A/B' is no symbol"),
        ("A,2020-01-02,1,1,1,1,99999999999999999", "number", "more digits"),
        ('A,2020-01-02,1,1,1,1,"5', "text", "does not read as CSV"),
    ],
)
def test_a_broken_row_is_named_with_its_line(row: str, code: str, says: str) -> None:
    line, found, message = only_problem(read(HEADER + GOOD + row + "\n"))
    assert line in (3, 4)
    assert found == code
    assert says in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("symbol,date,open,high,low,close\n", "no column volume"),
        ("symbol,date,open,open,high,low,close,volume\n", "a column twice"),
        ("", "no column date, open, high, low, close, volume"),
        (HEADER, "no bar of equities-1d's calendar"),
        (HEADER + "A,2020-01-01,1,1,1,1,5\n", "no bar of equities-1d's calendar"),
    ],
)
def test_a_file_without_bars_is_refused(text: str, says: str) -> None:
    assert says in only_problem(read(text))[2]


def test_a_file_wrong_throughout_stops_and_shows_a_hundred_problems() -> None:
    reading = read(HEADER + "A,2020-01-02,x,1,1,1,5\n" * 20_000)
    assert reading.problems.count == problems.Problems.STOP
    assert len(reading.problems.shown) == problems.SHOWN


def test_bytes_that_are_no_text_are_refused() -> None:
    reading = drop.read(DAILY, "a.csv", HEADER.encode() + b"\xff\xfe\x00")
    assert reading.problems.shown[0].code == "text"


def test_a_time_with_an_offset_is_converted_and_one_without_is_new_yorks() -> None:
    header = "symbol,date,open,high,low,close,volume\n"
    rows = "A,2020-07-01 09:30,1,1,1,1,5\nA,2020-07-01T13:31:00Z,1,1,1,1,6\nA,2020-07-01T16:00,1,1,1,1,7\n"
    reading = read(header + rows, dataset=MINUTE)
    starts = calendars.get("XNYS").starts("1m", date(2020, 7, 1))
    assert values(reading, "A")["2020-07"]["ts"] == [starts[0], starts[1]]
    assert reading.left_out == {"outside of the session": 1}


def test_a_daily_bar_has_the_date_as_written_whatever_its_offset() -> None:
    for text in ("2020-01-02T00:00:00Z", "2020-01-02 00:00:00-05:00", "20200102"):
        reading = read(HEADER + f"A,{text},1,1,1,1,5\n")
        assert reading.series["A"].first == date(2020, 1, 2)


def test_lean_hourly_bars_are_ten_thousandths_in_new_york_time() -> None:
    text = "20200702 09:00,10000,20000,10000,15001,7\n20200702 16:00,1,1,1,1,1\n"
    reading = drop.read(HOURLY, "spy.zip", zipped({"spy.csv": text}))
    assert values(reading, "SPY")["2020-07"]["close"] == [1.5001]
    assert reading.left_out == {"outside of the session": 1}


def test_lean_minutes_take_their_day_from_the_files_name() -> None:
    member = zipped({"20200702_spy_minute_trade.csv": "34200000,10000,10000,10000,10000,7\n"})
    reading = drop.read(MINUTE, "minute/spy/20200702_trade.zip", member)
    start = calendars.get("XNYS").starts("1m", date(2020, 7, 2))[0]
    assert values(reading, "SPY")["2020-07"]["ts"] == [start]


def test_lean_crypto_is_decimal_and_utc_round_the_clock() -> None:
    member = zipped({"20161008_btcusd_minute_trade.csv": "60000,611.87,611.88,611.87,611.88,0.56799\n"})
    reading = drop.read(CRYPTO, "minute/btcusd/20161008_trade.zip", member)
    month = values(reading, "BTCUSD")["2016-10"]
    assert month["close"] == [611.88]
    assert month["volume"] == [0.56799]


def test_a_lean_row_that_is_broken_is_named_with_file_and_line() -> None:
    reading = drop.read(
        HOURLY, "spy.zip", zipped({"spy.csv": "20200702 10:00,1,1,1,1,1\n20200702 11:00,1.5,1,1,1,1\n"})
    )
    (problem,) = reading.problems.shown
    assert (problem.file, problem.line) == ("spy.zip/spy.csv", 2)
    assert "no whole number of 1/10,000 dollar" in problem.message


def test_a_bundle_holds_a_tree_and_other_bars_of_it_are_left_out() -> None:
    hour = zipped({"spy.csv": "20200702 10:00,10000,10000,10000,10000,1\n"})
    day = zipped({"spy.csv": "20200702 00:00,10000,10000,10000,10000,1\n"})
    members = {
        "equity/usa/hour/spy.zip": hour,
        "equity/usa/daily/spy.zip": day,
        "equity/usa/factor_files/spy.csv": "20200601,0.9900000,0.5,100\n20501231,1,1,0\n",
        "equity/usa/map_files/spy.csv": "19980102,spx,P\n20501231,spy,P\n",
        "readme.md": "# hello",
    }
    reading = drop.read(HOURLY, "lean.zip", zipped(members))
    assert len(reading.series["SPY"]) == 1
    assert [(one.session, one.ratio) for one in reading.actions["SPY"].splits] == [(date(2020, 6, 2), 2.0)]
    assert [(one.session, one.amount) for one in reading.actions["SPY"].dividends] == [(date(2020, 6, 2), 1.0)]
    assert reading.names["SPY"] == ((date(1998, 1, 2), "SPX"), (date(2050, 12, 31), "SPY"))
    assert reading.left_out == {"files that hold no bars of this dataset": 2}


def test_what_a_mac_adds_to_a_zip_is_left_out() -> None:
    members = {
        "prices.csv": HEADER + "A,2020-01-02,1,1,1,1,5\n",
        "__MACOSX/._prices.csv": b"\0\5\x16\7",
        ".x.csv": b"\xff",
    }
    reading = drop.read(DAILY, "a.zip", zipped(members))
    assert (reading.problems.shown, len(reading.series["A"])) == ([], 1)
    assert reading.left_out == {"files that hold no bars of this dataset": 2}


def test_of_a_bundle_of_several_markets_the_datasets_own_is_taken() -> None:
    """Equity prices are in 1/10,000 dollars, crypto prices are not: neither may be read as the other."""
    apple = zipped({"20200702_aapl_minute_trade.csv": "34200000,3600000,3600000,3600000,3600000,1\n"})
    coin = zipped({"20200702_btcusd_minute_trade.csv": "34200000,9100,9100,9100,9100,1\n"})
    both = zipped(
        {
            "lean/equity/usa/minute/aapl/20200702_trade.zip": apple,
            "lean/crypto/coinbase/minute/btcusd/20200702_trade.zip": coin,
        }
    )
    for dataset, symbol, close in ((MINUTE, "AAPL", 360), (CRYPTO, "BTCUSD", 9100)):
        reading = drop.read(dataset, "lean.zip", both)
        assert list(reading.series) == [symbol]
        assert values(reading, symbol)["2020-07"]["close"] == [close]
        assert reading.left_out == {"files that hold no bars of this dataset": 1}


def test_a_zip_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop, "MAX_BYTES", 10_000)
    reading = drop.read(DAILY, "bomb.zip", zipped({"a.csv": "0" * 100_000}))
    assert only_problem(reading)[1] == "size"


@pytest.mark.parametrize(
    "body", [b"", b"PK\x03\x04 and no more", zipped({"a.zip": zipped({"b.zip": zipped({"c.csv": "1"})})})]
)
def test_what_does_not_unpack_is_refused(body: bytes) -> None:
    reading = drop.read(DAILY, "a.zip", body)
    assert reading.problems.count == 1


def test_what_is_neither_csv_nor_zip_is_refused() -> None:
    assert only_problem(drop.read(DAILY, "a.xlsx", b"PK"))[1] == "format"


PATHS = ["a.csv", "a.csv.gz", "a.zip", "A-1d-2024-01.csv", "factor_files/a.csv", "map_files/a.csv"]


@given(st.binary(max_size=200), st.sampled_from(PATHS))
def test_no_bytes_make_the_reader_fail(body: bytes, path: str) -> None:
    reading = drop.read(DAILY, path, body)
    assert reading.problems.count or reading.series or reading.actions or reading.names


@pytest.mark.parametrize(
    "name", ["equities", "equities-5m", "stocks-1d", "equities-1d-", "Equities-1d", "../x-1d", "snapshots"]
)
def test_a_dataset_has_a_name_of_the_form_agreed_on(name: str) -> None:
    with pytest.raises(DatasetNameError):
        layout.parse_dataset(name)


needs_lean = pytest.mark.skipif(not LEAN.exists(), reason="needs ../shared/data/lean")


@needs_lean
def test_apples_minutes_across_its_split_leave_out_what_is_outside_of_the_session() -> None:
    for day, opened in (("20140606", 649.9), ("20140609", 92.7)):
        path = f"minute/aapl/{day}_trade.zip"
        reading = drop.read(MINUTE, path, (LEAN / "equity/usa" / path).read_bytes())
        (month,) = values(reading, "AAPL").values()
        assert len(month["ts"]) == 390
        assert month["open"][0] == pytest.approx(opened, abs=0.5)
        assert max(month["high"]) / min(month["low"]) < 1.05  # the 04:00 bar of the 9th holds both scales
        assert reading.left_out["outside of the session"] > 100


@needs_lean
def test_bitcoins_minutes_are_all_on_the_grid() -> None:
    path = "minute/btcusd/20171217_trade.zip"
    reading = drop.read(CRYPTO, path, (LEAN / "crypto/coinbase" / path).read_bytes())
    (month,) = values(reading, "BTCUSD").values()
    assert reading.left_out == {}
    assert len(month["ts"]) > 1400
