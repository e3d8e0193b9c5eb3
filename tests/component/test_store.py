"""Jobs and snapshots in a real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

import run_objects
from backtest.errors import PlatformError
from backtest.events import Event, Failure, Progress, Result, Usage
from backtest.job import Move, Status
from backtest.store import Store
from backtest.store.connection import Database, Secret
from backtest.store.jobs import NewJob, Verified


def new_job(store: Store, user: str = "AROA:alice", token: str | None = None, **changed: Any) -> str:
    """Insert a job and return its id."""
    job = str(uuid4())
    params = {"symbols": ["AAPL"], "start": "2004-01-02", "end": "2004-12-31"}
    row = NewJob(
        id=job,
        user_id=user,
        code_s3_path="s3://runs/code/aa/strategy.py",
        params=params,
        name="strategy.py",
        client_request_token=token,
        request_digest="a" * 64,
        code_digest="b" * 64,
        manifest_digest="c" * 64,
        dataset="equities-1d",
        snapshot="s1",
    )
    assert store.jobs.insert(NewJob(**{**vars(row), **changed}))
    return job


def event(job: str, kind: str, seq: int, attempt: int = 1, **said: Any) -> Event:
    body = {"schema": 1, "job": job, "attempt": attempt, "seq": seq, "type": kind, "at": datetime.now(UTC)}
    return Event.model_validate({**body, "progress": None, "failure": None, "result": None, **said})


def verified(job: str, attempt: int = 1) -> Verified:
    now = datetime.now(UTC)
    result = Result.model_construct(
        schema_=1, job=job, attempt=attempt, result_digest="d" * 64, causality="unchecked", metrics={"schema": 1},
        started_at=now,
        usage=Usage(peak_memory_bytes=1, cpu_seconds=2.0, sandbox="gvisor", reported_by="strategy"),
    )  # fmt: skip
    return Verified(f"s3://runs/{run_objects.result(job, attempt)}", "v1", result)


def completed(job: str, seq: int, attempt: int = 1) -> Event:
    ref = {"key": run_objects.result(job, attempt), "version_id": "v1", "sha256": "e" * 64}
    return event(job, "COMPLETED", seq, attempt, result=ref)


def test_a_job_goes_from_pending_over_running_to_completed(store: Store) -> None:
    job = new_job(store)
    store.jobs.record(event(job, "STARTED", 0))
    running = store.jobs.get(job)
    assert running is not None
    assert (running.status, running.sequence) == (Status.RUNNING, 0)
    store.jobs.record(event(job, "PROGRESS", 1, progress=Progress(done=5, total=10, session="2004-03-01")))
    store.jobs.record(completed(job, 2), verified(job))
    done = store.jobs.get(job)
    assert done is not None
    assert done.status is Status.COMPLETED
    assert done.progress == {"done": 5, "total": 10, "session": "2004-03-01"}
    assert (done.metrics, done.result_version, done.causality) == ({"schema": 1}, "v1", "unchecked")
    assert done.started_at is not None
    assert done.finished_at is not None
    assert done.created_at <= done.started_at <= done.finished_at
    assert [e["type"] for e in store.jobs.history(job)] == ["SUBMITTED", "STARTED", "PROGRESS", "COMPLETED"]


def test_a_repeated_event_is_told_once_and_moves_once(store: Store) -> None:
    job = new_job(store)
    failed = event(job, "FAILED", 1, failure=Failure(kind="PLATFORM", message="lost"))
    first, second = store.jobs.record(failed), store.jobs.record(failed)
    assert first is not None
    assert second is not None
    assert (first.step.move, second.step.move) == (Move.CRASH, Move.IGNORE)
    assert (second.job.attempt, second.job.crashes, second.job.status) == (2, 1, Status.PENDING)
    assert [e["type"] for e in store.jobs.history(job)] == ["SUBMITTED", "FAILED", "RETRIED"]


def test_an_old_progress_does_not_overwrite_a_newer_one(store: Store) -> None:
    job = new_job(store)
    store.jobs.record(event(job, "PROGRESS", 7, progress=Progress(done=70, total=100, session=None)))
    store.jobs.record(event(job, "PROGRESS", 3, progress=Progress(done=30, total=100, session=None)))
    store.jobs.record(event(job, "STARTED", 0))
    row = store.jobs.get(job)
    assert row is not None
    assert row.progress is not None
    assert (row.status, row.progress["done"], row.sequence) == (Status.RUNNING, 70, 7)


def test_nothing_leaves_a_terminal_state(store: Store) -> None:
    job = new_job(store)
    store.jobs.cancel(job)
    store.jobs.record(event(job, "STARTED", 0))
    store.jobs.record(completed(job, 1), verified(job))
    assert store.jobs.end_attempt(job, 1, Failure(kind="PLATFORM", message="gone")) is None
    again = store.jobs.cancel(job)
    assert again is not None
    assert again.status is Status.CANCELLED
    assert again.metrics is None


def test_the_third_crash_fails_the_job_and_makes_it_a_dead_letter(store: Store) -> None:
    job = new_job(store)
    for attempt in (1, 2, 3):
        assert store.jobs.end_attempt(job, attempt, Failure(kind="PLATFORM", message="gone"))
    row = store.jobs.get(job)
    assert row is not None
    assert (row.status, row.failure_kind, row.attempt) == (Status.FAILED, "PLATFORM", 3)
    assert [j.id for j in store.jobs.dead_letters()] == [job]
    store.jobs.mark_dead_lettered(job)
    assert store.jobs.dead_letters() == []


def test_a_spot_loss_keeps_count_of_the_time_used(store: Store, database: Database) -> None:
    job = new_job(store)
    store.jobs.record(event(job, "STARTED", 0))
    with database.transaction() as c:
        c.cursor().execute("UPDATE backtest_jobs SET attempt_started_at = now() - interval '100 seconds'")
    applied = store.jobs.record(event(job, "DRAINED", 1))
    assert applied is not None
    assert (applied.job.attempt, applied.job.crashes) == (2, 0)
    assert 99 < applied.job.used_seconds < 110
    assert applied.job.dispatched_at is None


def test_a_token_stands_for_one_job_of_its_user(store: Store) -> None:
    job = new_job(store, token="t1")
    with pytest.raises(AssertionError):
        new_job(store, token="t1")
    new_job(store, user="AROA:bob", token="t1")
    mine = store.jobs.of_token("AROA:alice", "t1")
    assert mine is not None
    assert mine.id == job


def test_pages_list_every_job_once_newest_first(store: Store) -> None:
    jobs = [new_job(store) for _ in range(5)]
    new_job(store, user="AROA:bob")
    seen: list[str] = []
    before: tuple[datetime, str] | None = None
    while page := store.jobs.page(user_id="AROA:alice", status=None, before=before, count=2):
        seen += [j.id for j in page]
        before = (page[-1].created_at, page[-1].id)
    assert sorted(seen) == sorted(jobs)
    assert len(store.jobs.page(user_id=None, status=Status.PENDING, before=None, count=100)) == 6
    assert store.jobs.page(user_id=None, status=Status.FAILED, before=None, count=100) == []


def test_a_string_that_is_no_id_names_no_job(store: Store) -> None:
    assert store.jobs.get("'; DROP TABLE backtest_jobs; --") is None
    assert store.jobs.record(event(str(uuid4()), "STARTED", 0)) is None


def test_a_clock_that_runs_ahead_does_not_date_a_start_in_the_future(store: Store) -> None:
    job = new_job(store)
    early = event(job, "STARTED", 0).model_copy(update={"at": datetime.now(UTC) + timedelta(days=1)})
    store.jobs.record(early)
    row = store.jobs.get(job)
    assert row is not None
    assert row.started_at is not None
    assert row.started_at <= datetime.now(UTC) + timedelta(seconds=1)


def publish(store: Store, id: str, dataset: str = "equities-1d") -> None:
    store.snapshots.publish(
        id=id, dataset=dataset, symbols=5, first_session=date(2000, 1, 3), last_session=date(2013, 3, 1)
    )


def test_the_latest_snapshot_is_the_one_published_last_and_not_withdrawn(store: Store) -> None:
    publish(store, "s1")
    publish(store, "s2")
    publish(store, "c1", "crypto-1m")
    assert store.snapshots.latest("equities-1d").id == "s2"  # type: ignore[union-attr]
    assert store.snapshots.withdraw(id="s2", dataset="equities-1d", reason="wrong split")
    assert store.snapshots.latest("equities-1d").id == "s1"  # type: ignore[union-attr]
    assert store.snapshots.get("s2", "equities-1d").withdrawn_reason == "wrong split"  # type: ignore[union-attr]
    assert [d.dataset for d in store.snapshots.datasets()] == ["crypto-1m", "equities-1d"]
    publish(store, "s3")
    publish(store, "s1")
    assert store.snapshots.latest("equities-1d").id == "s1"  # type: ignore[union-attr]


def test_a_connection_that_the_server_closed_is_opened_again(store: Store, migrated: Secret) -> None:
    job = new_job(store)
    other = Database(lambda: migrated)
    with other.transaction() as c:
        c.cursor().execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    other.close()
    assert store.jobs.get(job) is not None


def test_a_database_that_is_not_there_is_a_platform_error(migrated: Secret) -> None:
    nowhere = Database(lambda: {**migrated, "host": "/nonexistent"})
    with pytest.raises(PlatformError, match="cannot be reached"), nowhere.transaction():
        pass
