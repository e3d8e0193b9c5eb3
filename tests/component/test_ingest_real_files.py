"""Files as they are published, ingested and read back whole; the laptop's command and the platform's drop agree."""

from __future__ import annotations

import gzip
import json
import zipfile
from datetime import date
from pathlib import Path

import bokeh_sampledata
import numpy as np
import pytest

from tapedeck.cli import main
from tapedeck.market import adjust, reader
from tests.component.vendor_drops import DANA, Bench, Folders, close, zipped

LEAN = Path(__file__).parents[3] / "shared/data/lean/equity/usa"


def test_real_daily_bars_become_months_actions_and_a_snapshot(bench: Bench) -> None:
    body = gzip.decompress((Path(bokeh_sampledata.__file__).parent / "_data/stocks.csv.gz").read_bytes())
    answer = bench.drop("equities-1d/stocks.csv", body)
    assert (answer["status"], answer["problems"], answer["rows"]) == ("INGESTED", [], 12_154)
    assert answer["owner"] == DANA
    assert {"session": "2005-02-28", "ratio": 2.0} in answer["symbols"]["AAPL"]["splits"]
    assert answer["symbols"]["GOOG"]["splits"] == []
    at = bench.latest("equities-1d")
    assert at.id == answer["snapshot"]
    assert at.symbols == ("AAPL", "FB", "GOOG", "IBM", "MSFT")
    assert at.span("FB") == (date(2012, 5, 18), date(2013, 3, 1))
    assert close(bench, at, "AAPL", date(2005, 2, 25)) == 88.99
    assert close(bench, at, "AAPL", date(2005, 2, 28)) == 44.86
    assert "equities-1d/AAPL/2005/02.parquet" in bench.objects()
    row = bench.store.snapshots.latest("equities-1d")
    assert row and (row.id, row.symbols, row.first_session) == (at.id, 5, date(2000, 3, 1))


@pytest.mark.skipif(not LEAN.exists(), reason="needs ../shared/data/lean")
def test_leans_hours_of_spy_and_apple_are_read_back_whole(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    names = [f"{folder}/{ticker}" for ticker in ("spy", "aapl") for folder in ("hour", "factor_files", "map_files")]
    paths = [LEAN / (name + (".zip" if name.startswith("hour") else ".csv")) for name in names]
    body = zipped({f"equity/usa/{path.parent.name}/{path.name}": path.read_bytes() for path in paths})
    answer = folders.drop("equities-1h/lean.zip", body)
    assert answer["status"] == "INGESTED"
    assert answer["rows"] == 40_784 + 40_785
    assert answer["left_out"] == {"outside of the session": 94}  # hours after early closes
    at = folders.latest("equities-1h")
    assert [split.ratio for split in at.leaf("AAPL").splits] == [2.0, 2.0, 7.0, 4.0]

    first, last = date(2014, 6, 2), date(2014, 6, 13)
    fields = ["open", "high", "low", "close", "volume"]
    block = reader.read_block(folders.market, at, ["SPY", "AAPL"], fields, first, last)
    assert block.fields["close"].shape == (10 * 7, 2)
    with zipfile.ZipFile(LEAN / "hour/aapl.zip") as archive:
        rows = [line.split(",") for line in archive.read("aapl.csv").decode().splitlines()]
    wanted = [row for row in rows if "20140602" <= row[0][:8] <= "20140613"]
    for column, name in enumerate(fields[:4], 1):
        assert block.fields[name][:, 1].tolist() == [int(row[column]) / 10_000 for row in wanted]
    assert block.fields["volume"][:, 1].tolist() == [float(row[5]) for row in wanted]

    factors = adjust.forward_factors(at.leaf("AAPL").splits, (), None, ["SPY", "AAPL"], block.session, first, "split")
    seen = adjust.adjusted(block, factors)["close"][:, 1]
    assert np.abs(np.diff(np.log(seen))).max() < 0.03  # 645.57 to 92.23 is no jump


@pytest.mark.skipif(not LEAN.exists(), reason="needs ../shared/data/lean")
def test_the_command_line_and_the_drop_agree_to_the_byte(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Months, roots, lists and the pointer are the same bytes; leaves too, but for where a month's version lies."""
    dataset, correction = "equities-1m", "symbol,date,open,high,low,close,volume\nAAPL,2014-06-09 09:30,1,2,1,1.25,5\n"
    files = {
        "20140609_trade.zip": (LEAN / "minute/aapl/20140609_trade.zip").read_bytes(),
        "20131011_trade.zip": (LEAN / "minute/spy/20131011_trade.zip").read_bytes(),
        "factor_files/aapl.csv": (LEAN / "factor_files/aapl.csv").read_bytes(),
        "map_files/aapl.csv": (LEAN / "map_files/aapl.csv").read_bytes(),
        "universes/fruit.csv": b"AAPL\n",
        "bad.csv": correction.replace("1.25", "x").encode(),
        "correction.csv": correction.encode(),
    }
    for name, body in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)
        taken = main(["data", "ingest", str(path), "--dataset", dataset, "--data", str(tmp_path / "market")]) == 0
        said, answer = capsys.readouterr(), bench.drop(f"{dataset}/{name}", body)
        assert taken == (answer["status"] == "INGESTED") == (name != "bad.csv")
        assert not taken or f"snapshot {answer['snapshot']}" in said.out
        assert all(f"{one['line']}: {one['code']}: {one['message']}" in said.err for one in answer["problems"])
    compared = 0
    for key in bench.objects():
        if key.endswith("history.json") or key.startswith("sealed/"):
            continue  # times; sealing is a command of its own on a laptop
        platforms, own = bench.market.get(key), (tmp_path / "market" / key).read_bytes()
        if "/leaves/" in key:
            platforms, own = (json.dumps(json.loads(body)["leaf"]).encode() for body in (platforms, own))
        assert platforms == own, key
        compared += 1
    assert compared == 2 + 5 + 6 + 1 + 1  # months, leaves, roots, list, pointer
