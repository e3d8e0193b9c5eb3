"""What a run leaves in the runs bucket when it ends, with as many fills as wanted: by the sidecar's own writers.

`python -m tests.component.finished_run ENDPOINT JOB` renders such a run's report and prints its process's peak of
memory (KiB).
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import numpy as np

import run_objects
from backtest import layout
from backtest.cloud.objects import Bucket
from backtest.report.publish import render
from sidecar import results
from sidecar.books import Closed
from sidecar.settings import Settings
from tapedeck import engine
from tapedeck.engine.fills import RECORD
from tapedeck.engine.margin import MarginCall
from tapedeck.market.store import Parted
from tapedeck.versions import ENGINE_VERSION

CODE = b"print('hello')\n"
SYMBOLS = [f"S{i:03}" for i in range(500)]
SESSIONS = 1250
DAY = 86_400_000_000
MANIFEST_DIGEST = "4" * 64


def fills(count: int) -> engine.Fills:
    """Return fills as minute bars bring them: every column with all of its digits."""
    random, number = np.random.default_rng(1), np.arange(count)
    records = np.empty(count, RECORD)
    records["session"] = 12_000 + number * SESSIONS // max(count, 1)
    records["ts"] = records["session"].astype(np.int64) * DAY + 52_200_000_000 + number % 390 * 60_000_000
    records["symbol"] = number % len(SYMBOLS)
    for name in ("quantity", "price", "reference", "commission", "slippage", "realised"):
        records[name] = random.uniform(1.0, 300.0, count)
    records["quantity"] *= np.where(number % 2, -1.0, 1.0)
    return engine.Fills(records)


def leave(  # noqa: PLR0917 - a run by its sizes
    runs: Parted, job: str, count: int, calls: int = 0, lines: int = 0, manifest_digest: str = MANIFEST_DIGEST
) -> None:
    """Write what a run with `count` fills, `calls` margin calls and `lines` of log, each a part, leaves."""
    for seq in range(lines):
        line = {"seq": seq, "stream": "stdout", "at": "2026-01-01T00:00:00+00:00", "text": f"line {seq}"}
        runs.put(run_objects.log(job, 1, seq), results.canonical(line) + b"\n")
    runs.put(layout.code(hashlib.sha256(CODE).hexdigest(), "crossover.py"), CODE)
    manifest = _manifest()
    runs.put(run_objects.run_manifest(job), results.canonical(manifest))
    settings = Settings(job, 1, manifest_digest, 60, "runs", "market", None, "gvisor")
    usage: Any = {"peak_memory_bytes": None, "cpu_seconds": None, "sandbox": "gvisor", "reported_by": "strategy"}
    at = "2026-01-01T00:00:00.000000+00:00"
    facts = results.Facts(settings, manifest, at, at, log_parts=lines, usage=usage, causality="unchecked")
    books: Any = SimpleNamespace(close=lambda: _closed(count, calls), settings=engine.EngineSettings())
    feed: Any = SimpleNamespace(dividends=[], splits=[])
    results.upload(runs, facts, books, feed, [])


def _manifest() -> Any:
    name, digest = "crossover.py", hashlib.sha256(CODE).hexdigest()
    return {
        "code": {"key": layout.code(digest, name), "digest": digest, "name": name, "kind": "script"},
        "level": "weights", "class_name": None, "params": {}, "dataset": "equities-1m", "snapshot": "5" * 64,
        "calendar": "XNYS", "bar": "1m", "symbols": SYMBOLS, "start": "2002-11-09", "end": "2007-01-01",
        "adjust": "split", "seed": 0, "audit": None, "risk_free": 0.0,
        "engine": {"version": ENGINE_VERSION, **asdict(engine.EngineSettings())},
    }  # fmt: skip


def _closed(count: int, calls: int) -> Closed:
    value = 1e6 + np.arange(SESSIONS, dtype=float)
    call = MarginCall(12_000 * DAY, 12_000, 0, 1.0, 2.0, ((0, -1.0, 2.0),))
    return Closed(
        fills=fills(count),
        session=np.arange(12_000, 12_000 + SESSIONS, dtype=np.int32),
        equity=value,
        net=value,
        gross=value,
        closing=engine.Closing(0, 0),
        calls=[call] * calls,
        decisions_digest="1" * 64,
        result_digest="2" * 64,
    )


def main(endpoint: str, job: str) -> int:
    """Render as the function does, without a database."""
    row = SimpleNamespace(id=job, attempt=1, manifest_digest=MANIFEST_DIGEST)
    jobs: Any = SimpleNamespace(get=lambda _: row, report_done=lambda *_, **said: print(said, file=sys.stderr))
    store: Any = SimpleNamespace(jobs=jobs)
    client = boto3.client("s3", endpoint_url=endpoint)
    render(store, Bucket("runs", client), run_objects.result(job, 1))
    status = Path("/proc/self/status").read_text()  # getrusage would count what this process was forked off as well
    print(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
