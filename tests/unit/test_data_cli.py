"""`tapedeck data`: from a vendor's file to a run, on a laptop with nothing else."""

from __future__ import annotations

import gzip
import tracemalloc
from datetime import date
from pathlib import Path

import bokeh_sampledata
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from tapedeck.cli import main
from tapedeck.market import calendar as calendars
from tapedeck.market import layout, snapshot
from tapedeck.market.store import FolderStore
from tapedeck.market.vendor import drop

ROOT = Path(__file__).parents[2]
STOCKS = Path(bokeh_sampledata.__file__).parent / "_data/stocks.csv.gz"
HEADER = "symbol,date,open,high,low,close,volume\n"


def latest(folder: Path, dataset: str) -> snapshot.Snapshot:
    held = snapshot.latest(FolderStore(folder), dataset)
    assert held
    return snapshot.load(FolderStore(folder), dataset, held)


def ingest(folder: Path, path: Path, *more: str) -> int:
    return main(["data", "ingest", str(path), "--dataset", "equities-1d", "--data", str(folder), *more])


def test_a_file_is_ingested_listed_and_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, path = tmp_path / "market", tmp_path / "stocks.csv"
    path.write_bytes(gzip.decompress(STOCKS.read_bytes()))
    assert ingest(folder, path) == 0
    assert "12,154 bars of 5 symbols" in capsys.readouterr().out
    held = latest(folder, "equities-1d").id
    assert main(["data", "list", "--data", str(folder)]) == 0
    line = capsys.readouterr().out.split()
    assert line[:2] == ["equities-1d", "5"]
    assert line[3:] == ["2000-03-01", "to", "2013-03-01", "snapshot", held]
    assert main(["run", str(ROOT / "examples/crossover.py"), "--data", str(folder)]) == 0
    assert f"snapshot {held[:12]}" in capsys.readouterr().out
    assert ingest(folder, STOCKS) == 0  # gzipped, the same content
    assert "0 months written" in capsys.readouterr().out
    assert latest(folder, "equities-1d").id == held


def test_a_refused_file_says_where_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "A,2020-01-02,1,1,1,1,5\nA,2020-01-03,1,1,0,1,5\n")
    assert ingest(tmp_path / "market", path) == 2
    assert f"{path}:3: price: A: low is 0" in capsys.readouterr().err
    assert not list(tmp_path.glob("market/snapshots/*"))
    assert ingest(tmp_path / "market", path, "--bad-rows", "quarantine") == 0
    assert "found: 1 price" in capsys.readouterr().out
    assert latest(tmp_path / "market", "equities-1d").symbols == ("A",)


def test_what_was_left_out_and_put_right_is_said_with_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "".join(f"A,2020-01-{day},1,1,1,1,5\n" for day in ("06", "02", "01", "02", "09")))
    assert ingest(tmp_path / "market", path) == 0
    said = capsys.readouterr().out
    for line in (
        f"left out: 1 no session ({path}:4)",
        f"put right: 1 duplicate ({path}:5)",
        f"put right: 1 unsorted ({path}:3)",
        "missing: 3 sessions",
        "A has no bar from 2020-01-03 to 2020-01-03",
        "A has no bar from 2020-01-07 to 2020-01-08",
    ):
        assert line in said


@pytest.mark.parametrize("name", ["stocks-1d", "equities-5m"])
def test_a_dataset_that_is_none_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER)
    assert main(["data", "ingest", str(path), "--dataset", name, "--data", str(tmp_path)]) == 2
    assert "is no dataset" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ingest(tmp_path, tmp_path / "none.csv") == 2
    assert "none.csv: No such file" in capsys.readouterr().err


def test_parquet_gives_the_snapshot_of_the_csv(tmp_path: Path) -> None:
    table = pacsv.read_csv(STOCKS)
    pq.write_table(table, tmp_path / "stocks.parquet")
    assert ingest(tmp_path / "one", STOCKS) == 0
    assert ingest(tmp_path / "two", tmp_path / "stocks.parquet") == 0
    assert latest(tmp_path / "one", "equities-1d").id == latest(tmp_path / "two", "equities-1d").id


def peak_bytes(folder: Path, last: date) -> int:
    """What reading two symbols' minutes up to a day takes at its highest, in Python's own memory."""
    path = folder / f"{last}.csv"
    with path.open("w") as file:
        file.write(HEADER)
        for day in calendars.get("XNYS").sessions(date(2020, 1, 2), last):
            for minute in range(60):
                file.writelines(f"{symbol},{day} 10:{minute:02},2,2,2,2,5\n" for symbol in "AB")
    tracemalloc.start()
    with path.open("rb") as raw:
        reading = drop.read(layout.parse_dataset("equities-1m"), path.name, raw, held_rows=300)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(reading.series["A"].months) == last.month
    return peak


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peak_bytes(tmp_path, date(2020, 1, 3))  # caches that all share
    assert peak_bytes(tmp_path, date(2020, 5, 29)) < 1.6 * peak_bytes(tmp_path, date(2020, 1, 31))
