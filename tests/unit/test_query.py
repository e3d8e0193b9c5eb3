"""`tapedeck.bars(...)`: the same bars that a run sees, as arrays and tables, with what is not there told."""

from __future__ import annotations

import os
import subprocess
from array import array
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tapedeck
from tapedeck.laptop.market import Market
from tapedeck.market import encoding, history, layout, publish, snapshot
from tapedeck.market.encoding import COLUMNS
from tapedeck.market.errors import CalendarError, MarketError, UnknownSnapshotError, UnknownSymbolError
from tapedeck.market.publish import Change
from tapedeck.market.store import FolderStore
from tapedeck.query import Missing
from tapedeck.run import Run
from tests.unit.three_years import XNYS

ROOT = Path(__file__).parents[2]
STRATEGY_PYTHON = ROOT / "build/venvs/strategy/bin/python"
DAY, NEXT = date(2020, 1, 2), date(2020, 1, 3)
MINUTES = list(XNYS.starts("1m", DAY))


def minute_month(prices: dict[int, int]) -> Change:
    """A month of one session: minute of the session -> price in cents, of all four; volume 10."""
    columns = {"ts": array("q", [MINUTES[at] for at in prices])}
    columns |= {name: array("q", prices.values()) for name in COLUMNS[1:-1]}
    columns["volume"] = array("q", [1000] * len(prices))
    return Change({"2020-01": encoding.month(columns, dict.fromkeys(COLUMNS, 2))})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    changes = {"A": minute_month({0: 100, 4: 300, 5: 200, 389: 400}), "B": minute_month({31: 5000})}
    publish.publish(FolderStore(tmp_path), layout.parse_dataset("equities-1m"), None, changes)
    return tmp_path


@pytest.mark.parametrize("mode", ["split", "total", "raw"])
def test_it_is_what_a_run_from_the_same_day_sees(data: Path, mode: str) -> None:
    store, start, end = FolderStore(data), date(2010, 9, 1), date(2012, 12, 31)
    snap = snapshot.load(store, "equities-1d", history.resolve(store, "equities-1d"))
    market = Market(store, snap, ["AAPL", "MSFT"], start, end)
    market.load(0, mode)  # type: ignore[arg-type]
    seen = market.bars(market.rows(start, end), ["close", "volume"])
    read = tapedeck.bars(
        ["AAPL", "MSFT"], start, "2012-12-31", dataset="equities-1d", fields=("close", "volume"), adjust=mode, data=data
    )
    np.testing.assert_array_equal(read.close, seen.close)
    np.testing.assert_array_equal(read.volume, seen.volume)
    np.testing.assert_array_equal(read.raw.close, seen.raw.close)
    assert (read.snapshot, read.freq, read.adjust, read.missing) == (snap.id, "1d", mode, ())
    with pytest.raises(AttributeError):
        _ = read.open


def test_the_module_of_bars_and_the_function_share_a_name(data: Path) -> None:
    from tapedeck import bars as module_or_function
    from tapedeck.bars import Bars

    read = module_or_function("IBM", "2010-01-04", "2010-01-08", dataset="equities-1d", data=str(data))
    assert isinstance(read, Bars)
    code = "import tapedeck.bars, tapedeck; assert callable(tapedeck.bars), tapedeck.bars"
    subprocess.run([STRATEGY_PYTHON, "-c", code], check=True, timeout=60, env=environment())


def test_minutes_become_hours_and_sessions(folder: Path) -> None:
    asked = {"dataset": "equities-1m", "data": folder}
    hours = tapedeck.bars(["A", "B"], DAY, DAY, freq="1h", **asked)  # type: ignore[arg-type]
    assert hours.shape == (7, 2)
    assert hours.close[:, 0].tolist() == pytest.approx([2.0, *[np.nan] * 5, 4.0], nan_ok=True)
    assert hours.volume[:, 0].tolist() == [30, 0, 0, 0, 0, 0, 10]
    assert hours.open[:, 1].tolist() == pytest.approx([np.nan, 50.0, *[np.nan] * 5], nan_ok=True)
    whole = tapedeck.bars("A", DAY, DAY, freq="1d", **asked)  # type: ignore[arg-type]
    assert [whole.open[0, 0], whole.high[0, 0], whole.low[0, 0], whole.close[0, 0], whole.volume[0, 0]] == [
        1.0, 4.0, 1.0, 4.0, 40.0,
    ]  # fmt: skip
    assert whole.ts.tolist() == [MINUTES[0]]
    with pytest.raises(CalendarError, match="no length"):
        tapedeck.bars("A", DAY, DAY, freq="7m", **asked)  # type: ignore[arg-type]


def test_what_is_not_there_is_told(folder: Path) -> None:
    read = tapedeck.bars("*", date(2019, 12, 30), date(2020, 1, 7), dataset="equities-1m", data=folder)
    assert read.symbols == ("A", "B")
    assert [one for one in read.missing if one.symbol == "A"] == [
        Missing("A", date(2019, 12, 30), date(2019, 12, 31), 2, "before its first bar"),
        Missing("A", NEXT, date(2020, 1, 7), 3, "after its last bar"),
    ]
    assert tapedeck.bars("B", DAY, DAY, dataset="equities-1m", fields=("volume",), data=folder).missing == ()
    with pytest.raises(UnknownSymbolError, match="NOPE"):
        tapedeck.bars("NOPE", DAY, DAY, dataset="equities-1m", data=folder)


def test_a_hole_between_two_bars_is_told(tmp_path: Path) -> None:
    from tests.unit.daily_market import change, put

    put(FolderStore(tmp_path), {"A": change({DAY: 1, date(2020, 1, 8): 2, date(2020, 1, 10): 3})})
    read = tapedeck.bars("A", DAY, date(2020, 1, 10), dataset="equities-1d", data=tmp_path)
    assert [(one.first.day, one.last.day, one.sessions, one.why) for one in read.missing] == [
        (3, 7, 3, "no bar"), (9, 9, 1, "no bar"),
    ]  # fmt: skip


def test_an_old_snapshot_reads_what_it_read(folder: Path) -> None:
    store = FolderStore(folder)
    old = tapedeck.bars("A", DAY, DAY, dataset="equities-1m", data=store)
    base = snapshot.load(store, "equities-1m", old.snapshot)
    publish.publish(store, layout.parse_dataset("equities-1m"), base, {"A": minute_month({0: 900})})
    then = history.load(store, "equities-1m").published[0][0]
    asked = {"dataset": "equities-1m", "data": folder}
    assert tapedeck.bars("A", DAY, DAY, **asked).close[0, 0] == 9.0  # type: ignore[arg-type]
    for how in ({"snapshot": old.snapshot[:8]}, {"as_of": then}, {"as_of": then.isoformat()}):
        again = tapedeck.bars("A", DAY, DAY, **asked, **how)  # type: ignore[arg-type]
        assert again.snapshot == old.snapshot
        np.testing.assert_array_equal(again.close, old.close)
    with pytest.raises(UnknownSnapshotError):
        tapedeck.bars("A", DAY, DAY, as_of="2001-01-01T00:00:00Z", **asked)  # type: ignore[arg-type]
    with pytest.raises(MarketError, match="not both"):
        tapedeck.bars("A", DAY, DAY, as_of=then, snapshot=old.snapshot, **asked)  # type: ignore[arg-type]


def test_the_next_reading_of_a_snapshot_reads_no_index_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(folder)
    real, asked = store.get, list[str]()
    monkeypatch.setattr(store, "get", lambda key, version=None: asked.append(key) or real(key, version))

    def read() -> list[str]:
        asked.clear()
        tapedeck.bars(["A", "B"], DAY, DAY, dataset="equities-1m", data=store)
        return [key for key in asked if "/leaves/" in key or "/roots/" in key]

    assert (len(read()), len(read())) == (3, 0)
    base = snapshot.load(store, "equities-1m", history.resolve(store, "equities-1m"))
    publish.publish(store, layout.parse_dataset("equities-1m"), base, {"A": minute_month({0: 700})})
    assert len(read()) == 3  # another snapshot


def test_without_data_it_says_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAPEDECK_DATA", raising=False)
    with pytest.raises(MarketError, match=r"run\.bars"):
        tapedeck.bars("A", DAY, DAY, dataset="equities-1m")
    monkeypatch.setenv("TAPEDECK_DATA", str(folder))
    assert tapedeck.bars("A", DAY, DAY, dataset="equities-1m").close[0, 0] == 1.0
    with pytest.raises(MarketError, match="no folder"):
        tapedeck.bars("A", DAY, DAY, dataset="equities-1m", data=folder / "nowhere")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"symbols": ["A", "B", "A"]}, "A stands twice in symbols"),
        ({"adjust": "Total"}, "adjust is one of split, total, raw, not 'Total'"),
        ({"adjust": None}, "not None"),
        ({"start": datetime(2020, 1, 2, 9, 30)}, "2020-01-02 09:30:00 is no session's date"),
        ({"end": "2020-01-02T16:00"}, "'2020-01-02T16:00' is no session's date"),
    ],
)
def test_what_would_be_answered_with_something_else_is_refused(folder: Path, asked: dict[str, Any], says: str) -> None:
    """A symbol asked for twice had no bars the first time; any other adjustment was that for splits under its name."""
    usual: dict[str, Any] = {"symbols": "A", "start": DAY, "end": DAY, "dataset": "equities-1m", "data": folder}
    with pytest.raises(MarketError, match=says):
        tapedeck.bars(**(usual | asked))


def test_a_days_midnight_is_the_day(folder: Path) -> None:
    midnight = pd.Timestamp("2020-01-02")
    assert tapedeck.bars("A", midnight, midnight, dataset="equities-1m", data=folder).close[0, 0] == 1.0


def test_tables_have_every_bar_and_null_where_nothing_traded(folder: Path) -> None:
    read = tapedeck.bars(["A", "B"], DAY, DAY, dataset="equities-1m", fields=("close", "volume"), data=folder)
    frame = read.to_pandas()
    assert frame.shape == (390, 4)
    assert frame["close"]["A"].dropna().tolist() == [1.0, 3.0, 2.0, 4.0]
    assert frame.index[0] == pd.Timestamp(MINUTES[0], unit="us", tz="UTC")
    table = read.to_arrow()
    assert table.column_names == ["ts", "session", "symbol", "close", "volume"]
    assert (table.num_rows, table["close"].null_count, table["volume"].null_count) == (780, 775, 0)
    first = table.slice(0, 1).to_pylist()[0]
    assert (first["session"], first["symbol"], first["close"]) == (DAY, "A", 1.0)


class Still:
    """A port with bars and nothing else."""

    def __init__(self, bars: tapedeck.Bars) -> None:
        self._bars = bars

    def bars(self) -> tapedeck.Bars:
        return self._bars

    def submit(self, decisions: object) -> None:
        raise NotImplementedError


def test_a_run_resamples_its_own_bars(folder: Path) -> None:
    read = tapedeck.bars(["A", "B"], DAY, DAY, dataset="equities-1m", data=folder)
    run = Run(Still(read), read.symbols, {}, "equities-1m")
    hours = tapedeck.bars(["A", "B"], DAY, DAY, dataset="equities-1m", freq="1h", data=folder)
    np.testing.assert_array_equal(run.bars(("close",), freq="1h").close, hours.close)
    assert run.bars().shape == (390, 2)


def environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'container_runner'}:{ROOT}"}


SQL = """
import sys
from datetime import datetime
import duckdb, tapedeck
from tapedeck.run import Run

read = tapedeck.bars(["A", "B"], "2020-01-02", "2020-01-02", dataset="equities-1m", data=sys.argv[1])
assert "pandas" not in sys.modules
by_symbol = read.relation().aggregate("symbol, sum(volume) AS volume, max(close) AS close").order("symbol").fetchall()
assert by_symbol == [("A", 40.0, 4.0), ("B", 10.0, 50.0)], by_symbol

class Port:
    def bars(self):
        return read

run = Run(Port(), read.symbols, {}, "equities-1m")
assert run.sql("SELECT count(*), count(close), min(session)::text FROM bars").fetchall() == [(780, 5, "2020-01-02")]
first = [(datetime(2020, 1, 2, 14, 30), 14, datetime(2020, 1, 2), 1.0)]
asked = "SELECT ts, hour(ts), date_trunc('day', ts), close FROM {} WHERE symbol = 'A' ORDER BY ts LIMIT 1"
assert run.sql(asked.format("bars")).fetchall() == first
assert read.relation().query("seen", asked.format("seen")).fetchall() == first
assert run.sql("SELECT hour(ts::timestamptz) FROM bars LIMIT 1").fetchall() == [(14,)]
assert run.sql("SELECT avg(close) AS mean FROM bars WHERE symbol = 'A'").df()["mean"].tolist() == [2.5]
for query in (
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "COPY bars TO '/tmp/out.csv'",
    "ATTACH '/tmp/other.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SELECT * FROM 'https://127.0.0.1:9/x.parquet'",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
):
    try:
        relation = run.sql(query)
        relation and relation.fetchall()
    except duckdb.Error:
        continue
    raise AssertionError(query)
print("fine")
"""


def test_queries_read_the_bars_and_nothing_else(folder: Path) -> None:
    done = subprocess.run(
        [STRATEGY_PYTHON, "-c", SQL, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**environment(), "TZ": "America/New_York"},  # times are UTC wherever the machine is
        cwd=folder,
    )
    assert done.stdout == "fine\n", done.stderr
