"""What a measurement says of itself."""

from __future__ import annotations

import dataclasses
import importlib
import json
from pathlib import Path

import pytest

from benchmarks.__main__ import MEASURES
from benchmarks.row import Row, amount, keep
from benchmarks.table import table

ROW = Row(
    measure="x", unit="s", ours=0.002, ours_cpu=None, limit=0.001, limit_name="native",
    reach="<= 1.05 times native", ok=False,
)  # fmt: skip


def test_a_row_says_plainly_that_it_missed() -> None:
    assert ROW.line() == "x: ours 2 ms; native 1 ms, 2 times that; reach <= 1.05 times native: MISSED"


def test_ratios_follow_from_what_was_measured() -> None:
    kept = dataclasses.replace(ROW, peer=0.008, peer_name="them").fields()
    assert (kept["ratio_to_peer"], kept["ratio_to_limit"]) == (4.0, 2.0)
    assert ROW.ratio_to_peer is None


@pytest.mark.parametrize(("value", "text"), [(2.0, "2 s"), (0.5, "500 ms"), (2e-5, "20 us"), (0.0, "0 us")])
def test_seconds_are_shown_in_the_unit_that_suits_them(value: float, text: str) -> None:
    assert amount(value, "s") == text


def test_one_measure_replaces_its_own_rows_only(tmp_path: Path) -> None:
    path = tmp_path / "results" / "latest.json"
    keep([ROW, dataclasses.replace(ROW, measure="y")], path)
    keep([dataclasses.replace(ROW, ours=9.0)], path)
    assert [(row["measure"], row["ours"]) for row in json.loads(path.read_text())] == [("x", 9.0), ("y", 0.002)]


@pytest.mark.parametrize("module", MEASURES.values())
def test_every_measure_can_be_asked_for(module: str) -> None:
    assert callable(importlib.import_module(module).rows)


def test_the_table_for_the_docs_says_what_the_row_says() -> None:
    told = table([{**ROW.fields(), "load": 1.5}]).splitlines()
    assert told[-1] == (
        "| x | **2 ms** | - | native: 1 ms, ours 2 times that | <= 1.05 times native: **missed** | 1.5 |"
    )
