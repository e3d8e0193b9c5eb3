"""Jobs in PostgreSQL. Every method is one transaction; a change that comes too late changes nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import connection
from psycopg2.extras import Json

from backtest import layout
from backtest.events import Event, Failure, Result, Usage
from backtest.job import Move, State, Status, Step, after, step
from backtest.store.connection import Database
from backtest.store.rows import Job
from backtest.store.sql import queries


@dataclass(frozen=True)
class NewJob:
    """What submit knows of a job: the columns that never change."""

    id: str
    user_id: str
    code_s3_path: str
    params: dict[str, Any]
    name: str
    client_request_token: str | None
    request_digest: str
    code_digest: str
    manifest_digest: str
    dataset: str
    snapshot: str


@dataclass(frozen=True)
class Applied:
    """What became of an event: the step taken and the job after it."""

    step: Step
    job: Job


@dataclass(frozen=True)
class Standing:
    """What the table says of a job that the cluster speaks of; `long_ended`: terminal for more than a minute."""

    status: Status
    attempt: int
    long_ended: bool


@dataclass(frozen=True)
class Verified:
    """A result that was read and checked: where it lies, what it says."""

    s3_path: str
    version: str | None
    result: Result


class Jobs:
    """The tables `backtest_jobs` and `backtest_job_events`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(self, new: NewJob) -> bool:
        """Insert a PENDING job and its history's first line; False when the user's token already has a job."""
        with self._database.transaction() as c:
            if not queries().insert_job(c, **{**asdict(new), "params": Json(new.params)}):
                return False
            _tell(c, new.id, 1, "SUBMITTED")
            return True

    def get(self, job_id: str) -> Job | None:
        """Return a job, or None."""
        with self._database.transaction() as c:
            return _one(queries().job(c, id=job_id)) if layout.is_job(job_id) else None

    def of_token(self, user_id: str, token: str) -> Job | None:
        """Return the job that this user's token stands for, or None."""
        with self._database.transaction() as c:
            return _one(queries().job_of_token(c, user_id=user_id, token=token))

    def page(
        self, *, user_id: str | None, status: Status | None, before: tuple[datetime, str] | None, count: int
    ) -> list[Job]:
        """Return up to `count` jobs older than `before` (created_at, id), newest first; None: everybody, any status."""
        at, last = before or (None, None)
        with self._database.transaction() as c:
            rows = queries().list_jobs(c, user_id=user_id, status=status, before=at, before_id=last, count=count)
            return [Job.of(r) for r in rows]

    def record(self, event: Event, verified: Verified | None = None, broken: Failure | None = None) -> Applied | None:
        """Write an event into the history and take the step that it asks for; None when there is no such job.

        COMPLETED needs `verified`, or `broken`: why its result cannot be used (then the attempt has failed). A repeated
        event takes no second step.
        """
        with self._database.transaction() as c:
            job = _one(queries().lock_job(c, id=event.job))
            if job is None:
                return None
            detail = event.model_dump(mode="json", include={"progress", "failure", "result"}, exclude_none=True)
            if not _tell(c, job.id, event.attempt, event.type, seq=event.seq, at=event.at, detail=detail):
                return Applied(Step(Move.IGNORE), job)
            todo = step(job.state, event)
            if todo.move is Move.COMPLETE and verified is None:
                todo = after(job.state, broken or Failure(kind="PLATFORM", message="the result was not read"))
            return _take(c, job, todo, event, verified, usage=event.usage)

    def end_attempt(self, job_id: str, attempt: int, failure: Failure, usage: Usage | None = None) -> Applied | None:
        """End an attempt that will not speak any more; None when the job or the attempt is no longer there."""
        with self._database.transaction() as c:
            job = _one(queries().lock_job(c, id=job_id))
            if job is None or not _alive(job.state, attempt):
                return None
            _tell(c, job.id, attempt, "LOST", detail={"failure": failure.model_dump(exclude_none=True)})
            return _take(c, job, after(job.state, failure), None, None, usage=usage)

    def cancel(self, job_id: str) -> Job | None:
        """Cancel a job unless it has ended; return it as it stands then, None when there is no such job."""
        with self._database.transaction() as c:
            if queries().cancel_job(c, id=job_id):
                job = _one(queries().job(c, id=job_id))
                assert job is not None
                _tell(c, job_id, job.attempt, "CANCELLED")
                return job
            return _one(queries().job(c, id=job_id))

    def mark_queued(self, job: Job) -> None:
        """Note that the attempt's message was sent again."""
        with self._database.transaction() as c:
            queries().mark_queued(c, id=job.id, attempt=job.attempt)

    def mark_dispatched(self, job: Job) -> None:
        """Note that the attempt's Kubernetes Job exists."""
        with self._database.transaction() as c:
            if queries().mark_dispatched(c, id=job.id, attempt=job.attempt):
                _tell(c, job.id, job.attempt, "DISPATCHED")

    def report_done(self, job_id: str, attempt: int, *, ready: bool) -> None:
        """Note that the report of this attempt is readable, or that it could not be made; it may precede COMPLETED."""
        with self._database.transaction() as c:
            queries().report_done(c, id=job_id, attempt=attempt, status="READY" if ready else "FAILED")

    def history(self, job_id: str) -> list[dict[str, Any]]:
        """Return what happened to a job: attempt, seq (null: the platform's own), type, at, detail; oldest first."""
        with self._database.transaction() as c:
            return [dict(r) for r in queries().events_of(c, job_id=job_id)]

    def never_dispatched(self, seconds: float) -> list[Job]:
        """Return jobs that have waited for dispatch for more than `seconds`."""
        with self._database.transaction() as c:
            return [Job.of(r) for r in queries().never_dispatched(c, seconds=seconds)]

    def dispatched(self) -> list[Job]:
        """Return jobs whose current attempt should have a Kubernetes Job."""
        with self._database.transaction() as c:
            return [Job.of(r) for r in queries().dispatched(c)]

    def standing(self, ids: set[str]) -> dict[str, Standing]:
        """Return what the table says of these jobs; unknown ones are left out."""
        with self._database.transaction() as c:
            rows = queries().standing(c, ids=sorted(ids))
            return {str(r["id"]): Standing(Status(r["status"]), r["attempt"], bool(r["long_ended"])) for r in rows}

    def dead_letters(self) -> list[Job]:
        """Return jobs that failed by our fault and are not on the dead-letter queue yet."""
        with self._database.transaction() as c:
            return [Job.of(r) for r in queries().dead_letters(c)]

    def mark_dead_lettered(self, job_id: str) -> None:
        """Note that a job lies on the dead-letter queue."""
        with self._database.transaction() as c:
            queries().mark_dead_lettered(c, id=job_id)

    def without_report(self, seconds: float) -> list[str]:
        """Return the ids of jobs completed more than `seconds` ago that have no report."""
        with self._database.transaction() as c:
            return [str(r["id"]) for r in queries().without_report(c, seconds=seconds)]

    def give_up_reports(self, seconds: float) -> list[str]:
        """Note that jobs completed more than `seconds` ago have no report to wait for; return their ids."""
        with self._database.transaction() as c:
            return [str(r["id"]) for r in queries().give_up_reports(c, seconds=seconds)]


def _take(
    c: connection, job: Job, todo: Step, event: Event | None, verified: Verified | None, *, usage: Usage | None
) -> Applied:
    """Write a step into a locked row. The guards repeat what the lock already holds: no step trusts its caller."""
    q = queries()
    here: dict[str, Any] = {"id": job.id, "attempt": job.attempt}
    told: dict[str, Any] = {"seq": event.seq if event else job.sequence, "at": event.at if event else None}
    match todo.move:
        case Move.IGNORE:
            return Applied(todo, job)
        case Move.START | Move.PROGRESS:
            assert event is not None
            q.start_job(c, **here, **told, progress=Json(event.progress.model_dump()) if event.progress else None)
        case Move.COMPLETE:
            assert verified is not None
            q.complete_job(
                c,
                **here,
                **told,
                started_at=verified.result.started_at,
                result_s3_path=verified.s3_path,
                result_version=verified.version,
                result_digest=verified.result.result_digest,
                causality=verified.result.causality,
                metrics=Json(verified.result.metrics),
                usage=Json(verified.result.usage.model_dump()),
            )
        case Move.FAIL:
            assert todo.failure is not None
            failure = todo.failure
            why = Json(failure.model_dump(exclude={"kind", "message"}, exclude_none=True))
            took = Json(usage.model_dump()) if usage else None
            q.fail_job(c, **here, **told, kind=failure.kind, message=failure.message, failure=why, usage=took)
        case Move.RETRY | Move.CRASH:
            assert todo.failure is not None
            q.retry_job(c, **here, crashes=int(todo.move is Move.CRASH))
            _tell(c, job.id, job.attempt + 1, "RETRIED", detail={"failure": todo.failure.model_dump(exclude_none=True)})
    return Applied(todo, Job.of(q.job(c, id=job.id)))


def _tell(
    c: connection,
    job_id: str,
    attempt: int,
    kind: str,
    *,
    seq: int | None = None,
    at: datetime | None = None,
    detail: dict[str, Any] | None = None,
) -> bool:
    """Write a line of history; False when it was already written."""
    written: int = queries().insert_event(
        c, job_id=job_id, attempt=attempt, seq=seq, type=kind, at=at, detail=Json(detail) if detail else None
    )
    return written == 1


def _alive(state: State, attempt: int) -> bool:
    return state.status in (Status.PENDING, Status.RUNNING) and state.attempt == attempt


def _one(row: dict[str, Any] | None) -> Job | None:
    return Job.of(row) if row else None
