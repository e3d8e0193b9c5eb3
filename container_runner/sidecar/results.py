"""Artifacts and result of a run: artifacts first, `result.json` last, so that a result which exists is whole."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

import run_objects
from sidecar.books import Books, Closed
from sidecar.clock import now
from sidecar.feed import Feed
from sidecar.settings import Settings
from tapedeck import metrics
from tapedeck.engine import margin
from tapedeck.market.calendar import from_day_number
from tapedeck.market.store import ObjectStore, Parted


@dataclass(frozen=True)
class Facts:
    """What the attempt knows of itself."""

    settings: Settings
    manifest: run_objects.RunManifest
    started_at: str
    first_bar_at: str
    log_parts: int
    usage: run_objects.Usage
    causality: run_objects.Causality


def upload(store: Parted, facts: Facts, books: Books, feed: Feed, warnings: list[str]) -> run_objects.ResultRef:
    """Close the books, upload every artifact and then the result; return what COMPLETED pins."""
    closed = books.close()
    manifest, settings = facts.manifest, facts.settings
    sessions, equity = metrics.daily_equity(closed.session, closed.equity)
    summary = metrics.summarise(
        sessions=sessions,
        equity=equity,
        start_cash=books.settings.cash,
        fills=closed.fills,
        calendar_name=manifest["calendar"],
        risk_free=manifest["risk_free"],
        bar_equity=closed.equity,
        net=metrics.daily_equity(closed.session, closed.net)[1],
        gross=metrics.daily_equity(closed.session, closed.gross)[1],
        borrow_fee=closed.closing.borrow_fee,
        interest=closed.closing.interest,
        margin_calls=len(closed.calls),
    )
    sleeves = books.settings.accounts == "sleeves"
    bodies = {
        "equity.csv": equity_csv(sessions, equity, books.settings.cash),
        "metrics.json": canonical(summary),
        "actions.json": canonical(actions(manifest, feed)),
        "margin_calls.json": canonical(margin.records(closed.calls, manifest["symbols"], sleeves=sleeves)),
    }
    artifacts = {name: _put_artifact(store, settings, name, body) for name, body in bodies.items()}
    artifacts["trades.csv"] = _put_trades(store, settings, closed.fills.csv_parts(manifest["symbols"]))
    result = _result(facts, closed, summary, artifacts, warnings)
    key, body = run_objects.result(settings.job, settings.attempt), canonical(result)
    version = store.put(key, body)
    return {"key": key, "version_id": version, "sha256": hashlib.sha256(body).hexdigest()}


def equity_csv(sessions: NDArray[np.int32], equity: NDArray[np.float64], start_cash: float) -> bytes:
    """Return session, equity at its last close and drawdown (a fraction <= 0) from the highest equity so far."""
    drawdown = metrics.drawdown_series(equity, start_cash)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["session", "equity", "drawdown"])
    for day, value, below in zip(sessions.tolist(), equity.tolist(), drawdown.tolist(), strict=True):
        rows.writerow([from_day_number(day).isoformat(), repr(value), repr(below)])
    return text.getvalue().encode()


def actions(manifest: run_objects.RunManifest, feed: Feed) -> list[dict[str, object]]:
    """Return the splits (shares multiply by `value`) and dividends (`value` a share) within the run, by session."""
    start = date.fromisoformat(manifest["start"])
    found = [(paid.session, paid.symbol, "dividend", paid.amount) for paid in feed.dividends]
    found += [(split.session, split.symbol, "split", split.ratio) for split in feed.splits]
    return [
        {"symbol": symbol, "session": session.isoformat(), "kind": kind, "value": value}
        for session, symbol, kind, value in sorted(found)
        if session >= start
    ]


def canonical(value: object) -> bytes:
    """Return JSON with sorted keys and no blanks. Raises ValueError for NaN and infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()


def _put_artifact(store: ObjectStore, settings: Settings, name: str, body: bytes) -> run_objects.ArtifactRef:
    key = run_objects.artifact(settings.job, settings.attempt, name)
    store.put(key, body)
    return {"key": key, "sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}


def _put_trades(store: Parted, settings: Settings, parts: Iterable[str]) -> run_objects.ArtifactRef:
    key, digest, size = run_objects.artifact(settings.job, settings.attempt, "trades.csv"), hashlib.sha256(), 0

    def passing() -> Iterator[bytes]:
        nonlocal size
        for text in parts:
            body = text.encode()
            digest.update(body)
            size += len(body)
            yield body

    store.put_parts(key, passing())
    return {"key": key, "sha256": digest.hexdigest(), "bytes": size}


def _result(
    facts: Facts,
    closed: Closed,
    summary: dict[str, object],
    artifacts: dict[str, run_objects.ArtifactRef],
    warnings: list[str],
) -> run_objects.Result:
    return {
        "schema": 1,
        "job": facts.settings.job,
        "attempt": facts.settings.attempt,
        "manifest_digest": facts.settings.manifest_digest,
        "decisions_digest": closed.decisions_digest,
        "result_digest": closed.result_digest,
        "causality": facts.causality,
        "snapshot": facts.manifest["snapshot"],
        "metrics": summary,
        "artifacts": artifacts,
        "dropped_decisions": closed.closing.dropped,
        "warnings": warnings,
        "started_at": facts.started_at,
        "first_bar_at": facts.first_bar_at,
        "finished_at": now(),
        "bars": len(closed.equity),
        "log_parts": facts.log_parts,
        "usage": facts.usage,
    }
