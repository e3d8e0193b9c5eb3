"""What a caller sees of jobs, their reports and results; nothing here changes anything."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Any

from backtest import layout
from backtest.cloud.objects import LINK_SECONDS, Bucket
from backtest.errors import CallerError
from backtest.events import RESULT_BYTES
from backtest.job import Status
from backtest.store import Store
from backtest.store.rows import Job, Snapshot

MAX_PAGE = 100
REPORT_BYTES = 4 * 1024 * 1024  # what a function may answer with; larger reports are had by their link
REPORT_FILES = ("report.html", "report.json", "equity.csv", "trades.csv")


def job_view(job: Job) -> dict[str, Any]:
    """Return all that a job's owner may know of it."""
    return {
        **job_line(job),
        "params": job.params,
        "attempt": job.attempt,
        "crashes": job.crashes,
        "metrics": job.metrics,
        "causality": job.causality,
        "manifest_digest": job.manifest_digest,
        "code_digest": job.code_digest,
        "result_digest": job.result_digest,
        "usage": job.usage,
        "cost_usd": job.cost_usd,
    }


def job_line(job: Job) -> dict[str, Any]:
    """Return a job as a line of a list."""
    return {
        "job_id": job.id,
        "name": job.name,
        "user_id": job.user_id,
        "status": job.status,
        "dataset": job.dataset,
        "snapshot": job.snapshot,
        "progress": job.progress,
        "failure": _failure(job),
        "report_status": job.report_status,
        "times": _times(job),
    }


def _failure(job: Job) -> dict[str, Any] | None:
    if job.failure_kind is None:
        return None
    where: dict[str, Any] = {"file": None, "line": None, "cell": None, "traceback": None, "last_lines": []}
    return {"kind": job.failure_kind, "message": job.failure_message, **where, **(job.failure or {})}


def _times(job: Job) -> dict[str, Any]:
    """Return ISO times, and the two spans that people ask for, in seconds."""
    spans = {
        "time_to_start_s": _seconds(job.created_at, job.started_at),
        "duration_s": _seconds(job.started_at, job.finished_at),
    }
    names = ("created_at", "queued_at", "dispatched_at", "started_at", "finished_at")
    return {**{n: at.isoformat() if (at := getattr(job, n)) else None for n in names}, **spans}


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return (end - begin).total_seconds() if begin and end else None


def list_jobs(store: Store, user_id: str | None, *, status: str | None, page: str | None, limit: int) -> dict[str, Any]:
    """Return a page of jobs, newest first, and the token of the next page (null: there is none).

    `user_id` None: everybody's. Raises `CallerError` for a status, page or limit that cannot be.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise CallerError(400, "BAD_VALUE", f"limit is from 1 to {MAX_PAGE}", key="limit")
    if status is not None and status not in set(Status):
        raise CallerError(400, "BAD_VALUE", f"status is one of {', '.join(Status)}", key="status")
    wanted = Status(status) if status else None
    jobs = store.jobs.page(user_id=user_id, status=wanted, before=_read_page(page), count=limit + 1)
    shown = jobs[:limit]
    more = len(jobs) > limit
    return {"backtests": [job_line(j) for j in shown], "next": _page(shown[-1]) if more else None}


def _page(last: Job) -> str:
    return base64.urlsafe_b64encode(f"{last.created_at.isoformat()}|{last.id}".encode()).decode()


def _read_page(page: str | None) -> tuple[datetime, str] | None:
    if not page:
        return None
    try:
        at, job_id = base64.urlsafe_b64decode(page.encode()).decode().split("|")
        if not layout.is_job(job_id):
            raise ValueError(job_id)
        return datetime.fromisoformat(at), job_id
    except (ValueError, binascii.Error) as e:
        raise CallerError(400, "BAD_VALUE", "page is what `next` of an earlier page said", key="page") from e


def report_view(job: Job, runs: Bucket) -> dict[str, Any]:
    """Return the report's status and, when it is READY, links that read its files for `expires_s` seconds."""
    if job.report_status != "READY":
        return {"job_id": job.id, "status": job.report_status, "url": None, "files": {}, "expires_s": None}
    files = {name: runs.link(layout.report(job.id, name)) for name in REPORT_FILES}
    return {
        "job_id": job.id,
        "status": job.report_status,
        "url": files["report.html"],
        "files": files,
        "expires_s": LINK_SECONDS,
    }


def report_page(job: Job, runs: Bucket) -> bytes:
    """Return the report's HTML; raises `CallerError` 404 when there is none (yet)."""
    if job.report_status != "READY":
        message = f"the report is not there: the backtest is {job.status}, its report {job.report_status}"
        raise CallerError(404, "NO_REPORT", message, report_status=job.report_status)
    return runs.get(layout.report(job.id, "report.html"), limit=REPORT_BYTES)


def results_view(job: Job, runs: Bucket) -> dict[str, Any]:
    """Return metrics, digests, and a link to each artifact; raises `CallerError` 409 when the job is not COMPLETED."""
    if job.status is not Status.COMPLETED:
        raise CallerError(409, "NOT_COMPLETED", f"the backtest is {job.status}", job_status=job.status)
    result = json.loads(runs.get(job.result_key, limit=RESULT_BYTES, version=job.result_version))
    artifacts = {name: {**ref, "url": runs.link(ref["key"])} for name, ref in result["artifacts"].items()}
    return {
        "job_id": job.id,
        "metrics": job.metrics,
        "causality": job.causality,
        "snapshot": job.snapshot,
        "manifest_digest": job.manifest_digest,
        "result_digest": job.result_digest,
        "decisions_digest": result["decisions_digest"],
        "dropped_decisions": result["dropped_decisions"],
        "bars": result["bars"],
        "warnings": result["warnings"],
        "usage": result["usage"],
        "artifacts": artifacts,
        "expires_s": LINK_SECONDS,
    }


def snapshot_view(row: Snapshot) -> dict[str, Any]:
    """Return a snapshot as a line of a list."""
    return {
        "id": row.id,
        "dataset": row.dataset,
        "name": row.name,
        "symbols": row.symbols,
        "first_session": row.first_session.isoformat(),
        "last_session": row.last_session.isoformat(),
        "published_at": row.published_at.isoformat(),
        "withdrawn_at": row.withdrawn_at.isoformat() if row.withdrawn_at else None,
        "withdrawn_reason": row.withdrawn_reason,
    }
