"""What a report is made of, read from the runs bucket and checked against the digests that the result names."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any

import run_objects
from backtest.cloud.objects import Bucket
from backtest.errors import PlatformError
from backtest.events import RESULT_BYTES, read_result
from backtest.report import trades
from backtest.report.trades import Trades
from run_objects import ArtifactRef, Result, RunManifest
from tapedeck.submission import SubmissionError, list_source

LOG_LINES = 2000
LOG_THREADS = 10  # as many connections as a client has: a run of two hours may have 3,600 parts
OBJECT_BYTES = 64 * 1024 * 1024  # of an object that is read whole: docs/reference/objects.md says how large they get


@dataclass(frozen=True)
class Facts:
    """Everything that the page shows; `equity` is by session, in the dataset's currency."""

    manifest: RunManifest
    result: Result
    sessions: list[date]
    equity: list[float]
    drawdown: list[float]
    trades: Trades
    trades_etag: str  # names the bytes that `trades` was read from
    actions: list[dict[str, Any]]
    margin_calls: list[dict[str, Any]]
    code: str
    log: list[dict[str, Any]]
    equity_csv: bytes


def gather(runs: Bucket, job: str, attempt: int, manifest_digest: str) -> Facts:
    """Return the facts of a run that completed; its fills pass by, everything else is read whole.

    Raises `MalformedError` when the result is not this run's, `TooLargeError` for an object past its bound,
    `PlatformError` when an artifact's bytes are not those that the result names.
    """
    body = runs.get(run_objects.result(job, attempt), limit=RESULT_BYTES)
    read_result(job, attempt, manifest_digest, body)
    result: Result = json.loads(body)
    manifest: RunManifest = json.loads(runs.get(run_objects.run_manifest(job), limit=OBJECT_BYTES))
    artifacts = result["artifacts"]
    equity_csv = _whole(runs, artifacts["equity.csv"])
    equity = list(csv.DictReader(io.StringIO(equity_csv.decode())))
    fills = runs.open(artifacts["trades.csv"]["key"])
    return Facts(
        manifest=manifest,
        result=result,
        sessions=[date.fromisoformat(row["session"]) for row in equity],
        equity=[float(row["equity"]) for row in equity],
        drawdown=[float(row["drawdown"]) for row in equity],
        trades=trades.read(_checked(fills.parts, artifacts["trades.csv"])),
        trades_etag=fills.etag,
        actions=json.loads(_whole(runs, artifacts["actions.json"])),
        margin_calls=json.loads(_whole(runs, artifacts["margin_calls.json"])),
        code=_source(runs.get(manifest["code"]["key"], limit=OBJECT_BYTES), manifest["code"]["name"]),
        log=_log(runs, result),
        equity_csv=equity_csv,
    )


def _whole(runs: Bucket, ref: ArtifactRef) -> bytes:
    return b"".join(_checked([runs.get(ref["key"], limit=OBJECT_BYTES)], ref))


def _checked(parts: Iterable[bytes], ref: ArtifactRef) -> Iterator[bytes]:
    """Yield an artifact's bytes; raises `PlatformError` at their end when they are not those that the result names."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
        yield part
    if digest.hexdigest() != ref["sha256"]:
        raise PlatformError(f"{ref['key']} is not the artifact that the result names: its digest differs")


def _log(runs: Bucket, result: Result) -> list[dict[str, Any]]:
    def read(part: int) -> list[bytes]:
        return runs.get(run_objects.log(result["job"], result["attempt"], part), limit=OBJECT_BYTES).splitlines()

    with ThreadPoolExecutor(LOG_THREADS, thread_name_prefix="log") as pool:
        lines = [json.loads(line) for part in pool.map(read, range(result["log_parts"])) for line in part]
    if len(lines) <= LOG_LINES:
        return lines
    cut = {"stream": "report", "text": f"… {len(lines) - LOG_LINES} lines are left out here …"}
    return [*lines[: LOG_LINES // 2], cut, *lines[-LOG_LINES // 2 :]]


def _source(body: bytes, name: str) -> str:
    """Return the code as text; it is read in a child process with limits, as when it was submitted."""
    try:
        cells = list_source(name, body)
    except SubmissionError as error:
        return f"(the code cannot be shown: {error.message})"
    return "\n\n".join(text if number is None else f"# In [{number}]\n{text}" for number, text in cells)
