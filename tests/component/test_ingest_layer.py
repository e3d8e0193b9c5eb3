"""Ingest on the very wheels that are deployed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tapedeck.market import reader, snapshot
from tapedeck.market.store import FolderStore

ROOT = Path(__file__).parents[2]


def test_ingest_runs_from_the_layer_without_numpy(tmp_path: Path) -> None:
    """The layer's own pyarrow, on the very folder that is deployed, in a process that has nothing else."""
    code = f"""
import sys
sys.path[:0] = [{str(ROOT / "build/layer/python")!r}, {str(ROOT / "layers")!r}, {str(ROOT / "container_runner")!r}]
from pathlib import Path
from types import SimpleNamespace
from backtest.ingest import ingest
from backtest.ingest.drop import Drop
from tapedeck.market.store import FolderStore
vendor, market = FolderStore(Path({str(tmp_path)!r}) / "vendor"), FolderStore(Path({str(tmp_path)!r}) / "market")
listed = SimpleNamespace(publish=lambda **told: None)
for n, row in enumerate(["A,2020-01-02,1.5,1.5,1.5,1.5,5", "A,2020-01-03,1,1,1,1,5", "A,2020-01-06,1,1,1,1,5"]):
    key = f"incoming/equities-1d/{{n}}.csv"
    version = vendor.put(key, f"symbol,date,open,high,low,close,volume\\n{{row}}\\n".encode())
    answer = ingest(vendor=vendor, market=market, snapshots=listed, drop=Drop(key, version, f"{{n:016X}}", 100, "dana"))
import pyarrow, pyarrow.parquet
from datetime import date
rows = {{"date": [date(2020, 1, 7)], "open": [2.5], "high": [2.5], "low": [2.5], "close": [2.5], "volume": [7]}}
pyarrow.parquet.write_table(pyarrow.table(rows), {str(tmp_path / "A.parquet")!r})
body = Path({str(tmp_path / "A.parquet")!r}).read_bytes()
drop = Drop("incoming/equities-1d/A.parquet", vendor.put("incoming/equities-1d/A.parquet", body), "F", 100, "dana")
answer = ingest(vendor=vendor, market=market, snapshots=listed, drop=drop)
assert "numpy" not in sys.modules and pyarrow.__version__.startswith("20."), pyarrow.__version__
print(answer["snapshot"])
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    market = FolderStore(tmp_path / "market")
    held = snapshot.latest(market, "equities-1d")
    assert held == done.stdout.strip()
    at = snapshot.load(market, "equities-1d", held)
    block = reader.read_block(market, at, ["A"], ["close"], *at.span("A"))
    assert block.fields["close"][:, 0].tolist() == [1.5, 1.0, 1.0, 2.5]
