"""Polygon's, Binance's and Databento's files and Parquet, each in its vendor's own layout, written by hand."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapedeck.market import calendar as calendars
from tapedeck.market import layout
from tapedeck.market.encoding import COLUMNS
from tapedeck.market.vendor import drop, parquet, tabular
from tapedeck.market.vendor.reading import Reading

DAILY = layout.parse_dataset("equities-1d")
HOURLY = layout.parse_dataset("equities-1h")
MINUTE = layout.parse_dataset("equities-1m")
CRYPTO = layout.parse_dataset("crypto-1m-binance")
XNYS = calendars.get("XNYS")

POLYGON = "ticker,volume,open,close,high,low,window_start,transactions\n"
POLYGON_MINUTES = POLYGON + (
    "AAPL,4930,200.29,200.5,200.63,200.29,1744792500000000000,129\n"  # 2025-04-16 08:35 UTC: before the open
    "AAPL,1815,197.0,197.4,197.45,196.9,1744810200000000000,57\n"  # 13:30 UTC
    "AAPL,1098,197.4,197.2,197.47,197.15000000000000,1744810260000000000,52\n"
    "BACpE,10,21.5,21.5,21.5,21.5,1744810200000000000,1\n"
)
KLINE = "{},42283.58,42298.62,42261.02,42298.61,35.92724,{},1519032.13,1327,20.18,853,0\n"
DATABENTO = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"


def columns(reading: Reading, symbol: str) -> dict[str, list[float]]:
    assert reading.problems.shown == []
    (month,) = reading.series[symbol].months.values()
    scale = dict.fromkeys(COLUMNS, month.price_scale) | {"ts": 0, "volume": month.volume_scale}
    return {column: [value / 10 ** scale[column] for value in month.columns[column]] for column in COLUMNS}


def zipped(name: str, content: str | bytes) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return body.getvalue()


def test_polygons_gzipped_minutes_give_their_values_and_its_share_classes_stay_apart() -> None:
    reading = drop.read(MINUTE, "2025-04-16.csv.gz", gzip.compress(POLYGON_MINUTES.encode()))
    found = columns(reading, "AAPL")
    starts = XNYS.starts("1m", date(2025, 4, 16))
    assert found["ts"] == [starts[0], starts[1]]
    assert (found["open"], found["close"]) == ([197.0, 197.4], [197.4, 197.2])
    assert (found["high"], found["low"]) == ([197.45, 197.47], [196.9, 197.15])
    assert found["volume"] == [1815, 1098]
    assert sorted(reading.series) == ["AAPL", "BAC_PE"]
    assert reading.left_out == {"outside of the session": 1}


def test_polygons_days_start_at_new_yorks_midnight() -> None:
    rows = "SPY,5,11.82,9.83,11.82,8.09,1678680000000000000,62\nSPY,5,10,10,10,10,1673413200000000000,2\n"
    reading = drop.read(DAILY, "day.csv", (POLYGON + rows).encode())
    assert (reading.series["SPY"].first, reading.series["SPY"].last) == (date(2023, 1, 11), date(2023, 3, 13))


@pytest.mark.parametrize(("start", "end"), [(1704067200000, 1704067259999), (1704067200000000, 1704067259999999)])
@pytest.mark.parametrize(
    "header", ["", "open_time,open,high,low,close,volume,close_time,quote_volume,count,a,b,ignore\n"]
)
def test_binances_klines_count_milliseconds_or_microseconds(start: int, end: int, header: str) -> None:
    text = header + KLINE.format(start, end)
    member = "BTCUSDT-1m-2024-01.csv"
    for reading in (
        drop.read(CRYPTO, member, text.encode()),
        drop.read(CRYPTO, "spot/BTCUSDT-1m-2024-01.zip", zipped(member, text)),
    ):
        found = columns(reading, "BTCUSDT")
        assert found["ts"] == [datetime.fromisoformat("2024-01-01T00:00Z").timestamp() * 1e6]
        assert (found["open"], found["high"], found["low"]) == ([42283.58], [42298.62], [42261.02])
        assert (found["close"], found["volume"]) == ([42298.61], [35.92724])


def test_klines_of_another_interval_and_broken_ones_are_told() -> None:
    other = drop.read(CRYPTO, "a.zip", zipped("BTCUSDT-3m-2024-01.csv", KLINE.format(1704067200000, 1704067379999)))
    assert other.left_out == {"files that hold no bars of this dataset": 1}
    text = KLINE.format(1704067200000, 0) + "1704067260000,1,2,1\n" + KLINE.format(1704067260001, 0)
    broken = drop.read(CRYPTO, "BTCUSDT-1m-2024-01.csv", text.encode())
    assert [(one.line, one.code) for one in broken.problems.shown] == [(2, "row"), (3, "row")]


@pytest.mark.parametrize(
    "row",
    [
        "1609770600000000000,33,1,5482,132430000000,133610000000,132400000000,133500000000,170,AAPL",
        "2021-01-04T14:30:00.000000000Z,33,1,5482,132.430000000,133.610000000,132.400000000,133.500000000,170,AAPL",
        "2021-01-04 09:30:00-05:00,33,1,5482,132.43,133.61,132.4,133.5,170,AAPL",
    ],
)
def test_databentos_bars_are_fixed_point_or_pretty(row: str) -> None:
    other = "1609770600000000000,32,1,5482,132430000000,133610000000,132400000000,133500000000,170,AAPL\n"
    reading = drop.read(MINUTE, "xnas.csv", (DATABENTO + other + row + "\n").encode())
    found = columns(reading, "AAPL")
    assert found["ts"] == [XNYS.starts("1m", date(2021, 1, 4))[0]]
    assert [found[name] for name in COLUMNS[1:]] == [[132.43], [133.61], [132.4], [133.5], [170]]
    assert reading.left_out == {"bars of another length": 1}


def test_databentos_days_are_utc_dates_and_an_undefined_price_is_named() -> None:
    row = "1609718400000000000,35,1,5482,{},133610000000,1,133500000000,170,AAPL\n"
    good = drop.read(DAILY, "a.csv", (DATABENTO + row.format(132430000000)).encode())
    assert good.series["AAPL"].first == date(2021, 1, 4)
    bad = drop.read(DAILY, "a.csv", (DATABENTO + row.format(2**63 - 1)).encode())
    assert (bad.problems.shown[0].line, bad.problems.shown[0].message) == (2, "open: the price is undefined")


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([("1609770600000000000", "100", "100.5")], 2),
        ([("2021-01-04T14:30:00Z", "100.5", "100.5"), ("2021-01-04T14:31:00Z", "100", "100")], 3),
        ([("1609770600000000000", "1e9", "1000000000")], 2),
    ],
)
@pytest.mark.parametrize("block", [1, 10_000])
def test_databentos_whole_numbers_and_decimals_in_one_file_are_refused(
    rows: list[tuple[str, str, str]], line: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 100 beside a 100.5 is 100 dollars, not 100 billionths."""
    monkeypatch.setattr(tabular, "BLOCK", block)
    text = "".join(f"{at},33,1,7,{opened},{price},{price},{price},5,AAPL\n" for at, opened, price in rows)
    problems = drop.read(MINUTE, "a.csv", (DATABENTO + text).encode()).problems.shown
    assert [(one.line, one.code) for one in problems] == [(line, "number")]
    assert "billionths" in problems[0].message


def parquet_bytes(**values: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(values), sink)
    return sink.getvalue()


def plain(at: Any, price: Any, volume: Any, **more: Any) -> bytes:
    prices = dict.fromkeys(("Open", "High", "Low", "Close"), price)
    return parquet_bytes(Date=at, Symbol=pa.array(["a"] * len(at)).dictionary_encode(), **prices, Volume=volume, **more)


@pytest.mark.parametrize(
    "at",
    [
        pa.array([date(2020, 1, 2)]),
        pa.array([datetime(2020, 1, 2)], pa.timestamp("ns")),
        pa.array([datetime(2020, 1, 2)], pa.timestamp("ms", "UTC")),
        pa.array(["2020-01-02"]),
    ],
)
@pytest.mark.parametrize("price", [pa.array([74.06]), pa.array([74.06], pa.float32()), pa.array(["74.06"])])
def test_parquet_has_the_columns_and_values_of_the_csv(at: Any, price: Any) -> None:
    body = plain(at, price, pa.array([135480400]), nested=pa.array([[1]]))
    found = columns(drop.read(DAILY, "a.parquet", body), "A")
    assert (found["close"], found["volume"]) == ([74.06], [135480400])
    assert found["ts"] == [XNYS.starts("1d", date(2020, 1, 2))[0]]


def test_parquet_in_a_vendors_layout_is_read_as_its_csv_is() -> None:
    names, *rows = [line.split(",") for line in POLYGON_MINUTES.splitlines()]
    table = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    body = parquet_bytes(**(table | {"window_start": pa.array(list(map(int, table["window_start"])))}))
    reading = drop.read(MINUTE, "minutes.zip", zipped("2025/04.parquet", body))
    assert columns(reading, "AAPL") == columns(
        drop.read(MINUTE, "a.csv.gz", gzip.compress(POLYGON_MINUTES.encode())), "AAPL"
    )


def test_a_row_of_parquet_is_named_with_its_place() -> None:
    at = pa.array([date(2020, 1, 2), date(2020, 1, 3)])
    reading = drop.read(DAILY, "a.parquet", plain(at, pa.array([1.0, None]), pa.array([1, 1])))
    (problem,) = reading.problems.shown
    assert (problem.line, problem.code) == (3, "number")  # the header is line 1


@settings(max_examples=6, deadline=None)
@given(st.data())
def test_parquet_that_is_cut_or_flipped_is_refused_or_read_whole(data: st.DataObject) -> None:
    body = plain(pa.array([date(2020, 1, 2)]), pa.array([74.0]), pa.array([1]))
    at = data.draw(st.integers(0, len(body) - 1))
    broken = data.draw(st.sampled_from([body[:at], body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]]))
    reading = drop.read(DAILY, "a.parquet", broken)
    assert reading.problems.count or len(reading.series["A"]) == 1


def test_parquet_that_unpacks_without_end_meets_the_childs_limits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    many = 500_000
    again = pa.array([0] * many)
    note = pa.array(["x" * 1000]).dictionary_encode().take(again)
    body = plain(pa.array(["2020-01-02"]).take(again), pa.array([1]).take(again), pa.array([1]).take(again), note=note)
    assert len(body) < 2_000_000
    monkeypatch.setattr(drop, "MAX_BYTES", 10_000_000)
    assert drop.read(DAILY, "bomb.parquet", body).problems.shown[0].code == "size"
    path = tmp_path / "bomb.parquet"
    path.write_bytes(body)
    with (
        pytest.raises(parquet.ParquetError, match="within the limits"),
        parquet.as_csv(path, parquet.Limits(cpu_seconds=1)) as rows,
    ):
        while rows.read(1 << 20):
            pass


def test_a_gzip_that_is_cut_short_is_refused() -> None:
    reading = drop.read(MINUTE, "a.csv.gz", gzip.compress(POLYGON_MINUTES.encode())[:-12])
    assert reading.problems.shown[0].code == "zip"


def zstandard(*frames: str) -> bytes:
    return b"".join(pa.compress(frame.encode(), "zstd", asbytes=True) for frame in frames)


DATABENTO_MINUTES = [
    f"17448102{minute}0000000000,33,1,7,{price}000000000,{price}500000000,{price}000000000,{price}250000000,12,AAPL\n"
    for minute, price in ((0, 197), (6, 198))
]


def test_databentos_zstd_is_read_whatever_its_frames() -> None:
    header, (first, second) = DATABENTO, DATABENTO_MINUTES
    text = drop.read(MINUTE, "a.csv", (header + first + second).encode())
    assert columns(text, "AAPL")["close"] == [197.25, 198.25]
    for body in (zstandard(header + first + second), zstandard(header, first[:40], first[40:] + second)):
        assert columns(drop.read(MINUTE, "xnas-20250416.ohlcv-1m.csv.zst", body), "AAPL") == columns(text, "AAPL")
    assert columns(drop.read(MINUTE, "a.zip", zipped("a.csv.zst", body)), "AAPL") == columns(text, "AAPL")


@pytest.mark.parametrize("body", [zstandard(DATABENTO)[:-2], b"no zstd", zstandard(DATABENTO) + b"more"])
def test_zstd_that_is_damaged_is_refused(body: bytes) -> None:
    assert drop.read(MINUTE, "a.csv.zst", body).problems.shown[0].code == "zip"


def test_zstd_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop, "MAX_BYTES", 100_000)
    body = zstandard(DATABENTO + "0" * 1_000_000)
    assert len(body) < 1_000
    assert drop.read(MINUTE, "a.csv.zst", body).problems.shown[0].code == "size"


def test_a_wrong_row_in_zstd_is_named_with_file_and_line() -> None:
    body = zstandard(DATABENTO + DATABENTO_MINUTES[0] + DATABENTO_MINUTES[1].replace("198250000000", "x"))
    (problem,) = drop.read(MINUTE, "a.csv.zst", body).problems.shown
    assert (problem.file, problem.line, problem.code) == ("a.csv.zst", 3, "number")


@pytest.mark.parametrize(
    ("row", "code", "says"),
    [
        ("AAPL,1,197.0,197.4,197.45,196.9,1744810200000000000", "columns", "7 columns, the header has 8"),
        ("AAPL,1,x,197.4,197.45,196.9,1744810200000000000,5", "number", "open: 'x'"),
        ("AAPL,1,197.0,197.4,196.0,196.9,1744810200000000000,5", "price", "high 196 is below low 196.9"),
        ("AAPL,1,197.0,197.4,197.45,0,1744810200000000000,5", "price", "low is 0"),
        ("AAPL,1,197.0,197.4,197.45,196.9,1744810200,5", "date", "has seconds"),
        ("A/PL,1,197.0,197.4,197.45,196.9,1744810200000000000,5", "symbol", "is no symbol"),
    ],
)
def test_a_wrong_row_of_polygons_is_named(row: str, code: str, says: str) -> None:
    sound = "AAPL,1,197.0,197.4,197.45,196.9,1744810260000000000,5\n"
    (problem,) = drop.read(
        MINUTE, "2025-04-16.csv.gz", gzip.compress(f"{POLYGON}{sound}{row}\n".encode())
    ).problems.shown
    assert (problem.file, problem.line, problem.code) == ("2025-04-16.csv.gz", 3, code)
    assert says in problem.message


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("factor_files/aapl.csv", "20140606,1,0.14,645.57\n2014,1,1,0\n", "'2014' is no date"),
        ("factor_files/aapl.csv", "20140606,1,0.14,645.57\n20501231,0,1,0\n", "factor 0 is not above 0"),
        ("factor_files/aapl.csv", "20140606,1,0.14,645.57\n20501231,1\n", "no factor file's row"),
        ("map_files/aapl.csv", "19980102,aapl,Q\n20501231\n", "no map file's row"),
        ("map_files/aapl.csv", "19980102,aapl,Q\nsoon,aapl,Q\n", "'soon' is no date"),
        ("map_files/aapl.csv", "19980102,aapl,Q\n20501231,a/b,Q\n", "is no symbol"),
    ],
)
def test_a_wrong_row_of_a_factor_or_map_file_is_named(path: str, text: str, says: str) -> None:
    (problem,) = drop.read(DAILY, path, text.encode()).problems.shown
    assert (problem.file, problem.line, problem.code) == (path, 2, "row")
    assert says in problem.message


LEAN = Path(__file__).parents[3] / "shared/data/lean/equity/usa"


@pytest.mark.skipif(not LEAN.exists(), reason="needs ../shared/data/lean")
def test_leans_daily_bars_of_all_tickers_are_read_whole_with_their_factors() -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as bundle:
        for folder in ("daily", "factor_files", "map_files", "hour"):
            for path in sorted((LEAN / folder).iterdir()):
                bundle.write(path, f"equity/usa/{folder}/{path.name}")
    reading = drop.read(DAILY, "lean.zip", body.getvalue())
    assert reading.problems.shown == []
    assert reading.left_out["files that hold no bars of this dataset"] == 4  # the hours
    for path in (LEAN / "daily").iterdir():
        with zipfile.ZipFile(path) as packed:
            rows = packed.read(packed.namelist()[0]).decode().splitlines()
        symbol = path.stem.upper()
        held = {row[:8]: row.split(",") for row in rows}
        series = reading.series[symbol]
        months = list(series.months.values())
        closes = [value / 10**month.price_scale for month in months for value in month.columns["close"]]
        skipped = len(held) - len(closes)
        assert 0 <= skipped < 5, symbol
        sessions = [row for row in sorted(held) if XNYS.is_session(date.fromisoformat(row))]
        assert closes == [int(held[day][4]) / 10_000 for day in sessions]
    assert [split.ratio for split in reading.actions["AAPL"].splits] == [2.0, 2.0, 7.0, 4.0]
    assert reading.names["GOOG"][-2:] == ((date(2014, 4, 2), "GOOCV"), (date(2050, 12, 31), "GOOG"))
