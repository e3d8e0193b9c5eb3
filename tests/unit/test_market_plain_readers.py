"""Whoever has pyarrow, DuckDB or polars reads the published files, months and sealed years, without a line of ours."""

from __future__ import annotations

import json
import subprocess
from array import array
from pathlib import Path

import polars
import pyarrow.parquet as pq
import pytest

from tapedeck.market import encoding, year_file
from tapedeck.market.encoding import COLUMNS, Month

STRATEGY_PYTHON = Path(__file__).parents[2] / "build/venvs/strategy/bin/python"


def month(number: int, decimals: int) -> Month:
    """Bars of a month: prices that fit 32 bits, volumes that do not."""
    columns = {"ts": array("q", [number * 10**12 + row * 60_000_000 for row in range(300)])}
    for at, name in enumerate(COLUMNS[1:5]):
        columns[name] = array("q", [1_000_003 + 7 * row + at for row in range(300)])
    columns["volume"] = array("q", [3_000_000_000 + row for row in range(300)])
    return encoding.month(columns, dict.fromkeys(COLUMNS[1:5], decimals) | {"volume": 0})


MONTHS = {f"2020-{number:02}": month(number, 2 if number < 7 else 4) for number in range(1, 13)}


@pytest.fixture(params=["month", "year"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, list[float]]]:
    """A file, and the values that are in it."""
    held = {"2020-07": MONTHS["2020-07"]} if request.param == "month" else MONTHS
    body = encoding.encode(*held.values()) if request.param == "month" else year_file.encode(held)
    path = tmp_path / "file.parquet"
    path.write_bytes(body)
    values = {name: [float(value) for one in held.values() for value in real(one, name)] for name in COLUMNS}
    return path, values


def real(one: Month, name: str) -> list[float]:
    scale = 0 if name == "ts" else one.volume_scale if name == "volume" else one.price_scale
    return [value / 10**scale for value in one.columns[name]]


def scales(told: dict[str, str]) -> dict[str, int]:
    price, volume = int(told["tapedeck.price_scale"]), int(told["tapedeck.volume_scale"])
    return {name: 0 if name == "ts" else volume if name == "volume" else price for name in COLUMNS}


def test_pyarrow(file: tuple[Path, dict[str, list[float]]]) -> None:
    path, values = file
    table = pq.read_table(path)
    told = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    for name, scale in scales(told).items():
        assert [value / 10**scale for value in table.column(name).to_pylist()] == values[name]


def test_polars(file: tuple[Path, dict[str, list[float]]]) -> None:
    path, values = file
    frame = polars.read_parquet(path)
    for name, scale in scales(polars.read_parquet_metadata(path)).items():
        assert [value / 10**scale for value in frame[name].to_list()] == values[name]


def test_duckdb(file: tuple[Path, dict[str, list[float]]]) -> None:
    path, values = file
    program = f"""
import duckdb, json
rows = duckdb.sql("select {", ".join(COLUMNS)} from '{path}'").fetchall()
told = duckdb.sql("select decode(key), decode(value) from parquet_kv_metadata('{path}')").fetchall()
print(json.dumps([list(zip(*rows)), dict(told)]))
"""
    answer = subprocess.run([STRATEGY_PYTHON, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    columns, told = json.loads(answer.stdout)
    for (name, scale), read in zip(scales(told).items(), columns, strict=True):
        assert [value / 10**scale for value in read] == values[name]


def test_a_year_has_a_row_group_a_month_and_says_which(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    path.write_bytes(year_file.encode(MONTHS))
    metadata = pq.ParquetFile(path).metadata
    assert [metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)] == [300] * 12
    said = metadata.metadata[b"tapedeck.months"].decode().split(" ")
    assert said[0] == "2020-01:2:0"
    assert said[-1] == "2020-12:4:0"
    one = pq.ParquetFile(path).schema_arrow
    assert one.remove_metadata() == pq.read_schema(_month_file(tmp_path)).remove_metadata()


def _month_file(folder: Path) -> Path:
    path = folder / "month.parquet"
    path.write_bytes(encoding.encode(MONTHS["2020-07"]))
    return path
