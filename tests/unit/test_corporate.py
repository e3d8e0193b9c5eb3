"""Splits, dividends, renames and delistings as tables of a snapshot; the map files are LEAN's own."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

import tapedeck
from tapedeck.cli import main
from tapedeck.corporate import Event
from tapedeck.market import history, names, snapshot
from tapedeck.market.errors import UnknownSymbolError
from tapedeck.market.store import FolderStore

HEADER = "symbol,date,open,high,low,close,volume\n"
TWX = "19980102,aol,N\n20031015,aol,N\n20180615,twx,N\n"
QQQ = "19990310,qqq,Q\n20041130,qqq,Q\n20110322,qqqq,Q\n20501231,qqq,Q\n"
FACTORS = "20140606,0.99,0.142857,645.57\n20501231,1,1,0\n"
NAME = "equities-1d"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Bars of three symbols, their map files, and one's factor file."""
    rows = [f"{symbol},2014-06-{day:02},1,1,1,1,5\n" for symbol in ("TWX", "QQQ", "NEW") for day in (5, 6, 9)]
    take(tmp_path, "bars.csv", HEADER + "".join(rows))
    take(tmp_path, "map_files/twx.csv", TWX)
    take(tmp_path, "map_files/qqq.csv", QQQ)
    take(tmp_path, "factor_files/twx.csv", FACTORS)
    return tmp_path / "market"


def take(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert main(["data", "ingest", str(path), "--dataset", NAME, "--data", str(tmp_path / "market")]) == 0


def latest(folder: Path) -> snapshot.Snapshot:
    return snapshot.load(FolderStore(folder), NAME, history.resolve(FolderStore(folder), NAME))


def test_the_tables_tell_renames_and_delistings_beside_splits_and_dividends(folder: Path) -> None:
    assert tapedeck.actions("*", dataset=NAME, data=folder) == [
        Event(date(2003, 10, 16), "TWX", "ticker", "TWX"),
        Event(date(2004, 12, 1), "QQQ", "ticker", "QQQQ"),
        Event(date(2011, 3, 23), "QQQ", "ticker", "QQQ"),
        Event(date(2014, 6, 9), "TWX", "dividend", pytest.approx(6.46, abs=0.01)),
        Event(date(2014, 6, 9), "TWX", "split", 7.0),
        Event(date(2018, 6, 15), "TWX", "delisted", None),
    ]
    assert {one.symbol for one in tapedeck.actions(["QQQ", "NEW"], dataset=NAME, data=folder)} == {"QQQ"}


def test_a_ticker_means_the_symbol_that_bore_it_on_that_day(folder: Path) -> None:
    at = latest(folder)
    assert [names.ticker(at.leaf("QQQ"), day) for day in (date(2004, 11, 30), date(2004, 12, 1), date(2020, 1, 2))] == [
        "QQQ",
        "QQQQ",
        "QQQ",
    ]
    assert names.symbol(at, "AOL", date(2003, 10, 15)) == "TWX"
    assert names.symbol(at, "TWX", date(2003, 10, 16)) == "TWX"
    assert names.symbol(at, "NEW", date(2003, 10, 16)) == "NEW"  # no table: it always had its name
    for gone in (("AOL", date(2003, 10, 16)), ("TWX", date(2018, 6, 16)), ("QQQQ", date(2011, 3, 23))):
        with pytest.raises(UnknownSymbolError):
            names.symbol(at, *gone)
    assert (names.delisted(at.leaf("TWX")), names.delisted(at.leaf("QQQ")), names.delisted(at.leaf("NEW"))) == (
        date(2018, 6, 15),
        None,
        None,
    )


def test_a_corrected_table_is_a_new_snapshot_and_the_old_one_has_the_old(folder: Path, tmp_path: Path) -> None:
    before = latest(folder).id
    take(tmp_path, "map_files/twx.csv", TWX.replace("20180615", "20501231"))
    told = [
        [one.what for one in tapedeck.actions("TWX", dataset=NAME, snapshot=at, data=folder)]
        for at in (before, "latest")
    ]
    assert told == [["ticker", "dividend", "split", "delisted"], ["ticker", "dividend", "split"]]
    assert latest(folder).id != before
