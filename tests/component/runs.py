"""What a sidecar writes: events and results, as the contract has them."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import run_objects
from backtest.store.rows import Job
from backtest.submit import Submission, submit
from functions import api
from tests.component.deployment import STRATEGY, Deployment


def submitted(deployment: Deployment, user: str = "AROA:alice") -> Job:
    """Submit the strategy; its message stays on the queue."""
    return submit(Submission(user, "crossover.py", STRATEGY, {}), api.desk()).job


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def write_event(deployment: Deployment, job: Job, kind: str, seq: int, *, attempt: int = 1, **said: Any) -> str:
    """Write an event's object; return its key."""
    body = {
        "schema": 1,
        "job": job.id,
        "attempt": attempt,
        "seq": seq,
        "type": kind,
        "at": now(),
        "progress": None,
        "failure": None,
        "usage": None,
        "result": None,
        **said,
    }
    key = run_objects.event(job.id, attempt, seq)
    deployment.put("runs", key, json.dumps(body).encode())
    return key


def failure(kind: str, **where: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "message": f"{kind} it is",
        "file": None,
        "line": None,
        "cell": None,
        "traceback": None,
        "last_lines": [],
        **where,
    }


def write_result(deployment: Deployment, job: Job, *, attempt: int = 1, **changed: Any) -> dict[str, Any]:
    """Write an artifact and result.json; return the reference that COMPLETED pins."""
    artifact = run_objects.artifact(job.id, attempt, "equity.csv")
    deployment.put("runs", artifact, b"session,equity\n")
    result = {
        "schema": 1,
        "job": job.id,
        "attempt": attempt,
        "manifest_digest": job.manifest_digest,
        "decisions_digest": "1" * 64,
        "result_digest": "2" * 64,
        "causality": "unchecked",
        "snapshot": job.snapshot,
        "metrics": {"schema": 1, "values": {"sharpe": 0.5, "calmar": None}, "reasons": {"calmar": "NO_DRAWDOWN"}},
        "artifacts": {"equity.csv": {"key": artifact, "sha256": "3" * 64, "bytes": 15}},
        "dropped_decisions": 1,
        "warnings": [],
        "started_at": now(),
        "first_bar_at": now(),
        "finished_at": now(),
        "bars": 41,
        "log_parts": 0,
        "usage": {"peak_memory_bytes": None, "cpu_seconds": 1.5, "sandbox": "runsc", "reported_by": "strategy"},
        **changed,
    }
    body = json.dumps(result).encode()
    key = run_objects.result(job.id, attempt)
    version = deployment.put("runs", key, body)
    return {"key": key, "version_id": version, "sha256": hashlib.sha256(body).hexdigest()}
