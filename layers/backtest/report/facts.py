"""What a report is made of, read from the runs bucket and checked against the digests that the result names."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from backtest import layout
from backtest.errors import PlatformError
from backtest.events import read_result
from contract import Result, RunManifest
from tapedeck.submission import SubmissionError, list_source

LOG_LINES = 2000

Read = Callable[[str], bytes]


@dataclass(frozen=True)
class Facts:
    """Everything that the page shows; `equity` is by session, in the dataset's currency."""

    manifest: RunManifest
    result: Result
    sessions: list[date]
    equity: list[float]
    drawdown: list[float]
    trade_columns: list[str]
    trades: list[list[str]]
    actions: list[dict[str, Any]]
    margin_calls: list[dict[str, Any]]
    code: str
    log: list[dict[str, Any]]
    equity_csv: bytes
    trades_csv: bytes


def gather(read: Read, job: str, attempt: int, manifest_digest: str) -> Facts:
    """Return the facts of a run that completed; `read` maps a key of the runs bucket to its bytes.

    Raises `MalformedError` when the result is not this run's, `PlatformError` when an artifact's bytes are not those
    that the result names.
    """
    body = read(layout.result(job, attempt))
    read_result(job, attempt, manifest_digest, body)
    result: Result = json.loads(body)
    manifest: RunManifest = json.loads(read(layout.run_manifest(job)))
    equity_csv, trades_csv = _artifact(read, result, "equity.csv"), _artifact(read, result, "trades.csv")
    equity = list(csv.DictReader(io.StringIO(equity_csv.decode())))
    trade_columns, *trades = list(csv.reader(io.StringIO(trades_csv.decode())))
    return Facts(
        manifest=manifest,
        result=result,
        sessions=[date.fromisoformat(row["session"]) for row in equity],
        equity=[float(row["equity"]) for row in equity],
        drawdown=[float(row["drawdown"]) for row in equity],
        trade_columns=trade_columns,
        trades=trades,
        actions=json.loads(_artifact(read, result, "actions.json")),
        margin_calls=json.loads(_artifact(read, result, "margin_calls.json")),
        code=_source(read(manifest["code"]["key"]), manifest["code"]["name"]),
        log=_log(read, result),
        equity_csv=equity_csv,
        trades_csv=trades_csv,
    )


def _artifact(read: Read, result: Result, name: str) -> bytes:
    ref = result["artifacts"][name]
    body = read(ref["key"])
    if hashlib.sha256(body).hexdigest() != ref["sha256"]:
        raise PlatformError(f"{ref['key']} is not the artifact that the result names: its digest differs")
    return body


def _log(read: Read, result: Result) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for part in range(result["log_parts"]):
        body = read(layout.log(result["job"], result["attempt"], part))
        lines += [json.loads(line) for line in body.splitlines()]
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
