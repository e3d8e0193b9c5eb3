"""A drop that closes a year has it sealed; a sealing that fails costs no drop."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from backtest.cloud import clients
from functions import ingest as function
from tapedeck.market import reader
from tests.component.vendor_drops import Bench, daily


def sealed_years(bench: Bench, dataset: str, symbol: str) -> list[str]:
    leaf = bench.latest(dataset).leaf(symbol)
    return sorted(year for year in leaf.sealed if leaf.sealed_year(year))


def test_a_drop_that_closes_a_year_has_it_sealed_and_a_correction_again(bench: Bench) -> None:
    bench.drop("equities-1d/a.csv", daily("A", "2019-11-01", "2019-12-30"))
    assert sealed_years(bench, "equities-1d", "A") == []
    bench.drop("equities-1d/b.csv", daily("A", "2020-01-02"))
    assert sealed_years(bench, "equities-1d", "A") == ["2019"]
    old = bench.latest("equities-1d")
    bench.drop("equities-1d/c.csv", daily("A", "2019-12-31"))
    assert sealed_years(bench, "equities-1d", "A") == ["2019"]
    listed = clients.s3().list_objects_v2(Bucket="market", Prefix="sealed/equities-1d/A/2019/")["Contents"]
    assert len(listed) == 2  # the old snapshot keeps its own
    first, last = date(2019, 1, 2), date(2019, 12, 31)
    for at, bars in ((old, 2), (bench.latest("equities-1d"), 3)):
        block = reader.read_block(bench.market, at, ["A"], ["close"], first, last)
        assert np.count_nonzero(~np.isnan(block.fields["close"])) == bars


def test_a_sealing_that_fails_or_has_no_time_brings_no_drop_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(function, "seal", lambda *_, **__: 1 / 0)
        answer = bench.drop("equities-1d/a.csv", daily("A", "2019-11-01", "2019-12-30", "2020-01-02"))
    assert answer["status"] == "INGESTED"
    with monkeypatch.context() as patch:
        patch.setattr(function, "MARGIN_S", 10_000)
        bench.drop("equities-1d/b.csv", daily("A", "2020-01-03"))
    assert sealed_years(bench, "equities-1d", "A") == []
    bench.drop("equities-1d/c.csv", daily("A", "2020-01-06"))
    assert sealed_years(bench, "equities-1d", "A") == ["2019"]
