"""What was lost between PostgreSQL, SQS, S3 and Kubernetes is found."""

from __future__ import annotations

import json
from typing import Any

import pytest

import run_objects
from backtest import layout
from backtest.job import Status
from backtest.store.connection import Database
from backtest.store.rows import Job
from functions import dispatch, reconcile, record
from tests.component.deployment import Deployment
from tests.component.fake_cluster import FakeCluster
from tests.component.handlers import CONTEXT, created, deliver
from tests.component.runs import failure, submitted, write_event, write_result


def look() -> dict[str, int]:
    """Reconcile once."""
    return reconcile.handler({}, CONTEXT)


def row(deployment: Deployment, job: Job) -> Job:
    found = deployment.store.jobs.get(job.id)
    assert found is not None
    return found


def sql(database: Database, statement: str) -> None:
    with database.transaction() as c:
        c.cursor().execute(statement)


@pytest.fixture
def running(deployment: Deployment, cluster: FakeCluster) -> Job:
    """A job whose first attempt is dispatched and has started."""
    job = submitted(deployment)
    deliver(dispatch, *deployment.messages())
    deliver(record, created(write_event(deployment, job, "STARTED", 0)))
    assert row(deployment, job).status is Status.RUNNING
    return job


def test_a_lost_message_is_sent_again_after_a_minute(
    deployment: Deployment, cluster: FakeCluster, database: Database
) -> None:
    job = submitted(deployment)
    deployment.messages()
    assert look() == {}
    sql(database, "UPDATE backtest_jobs SET queued_at = now() - interval '61 seconds'")
    assert look() == {"enqueued": 1}
    assert [m["job_id"] for m in deployment.messages()] == [job.id]
    assert look() == {}


def test_a_run_that_runs_is_left_alone(deployment: Deployment, cluster: FakeCluster, running: Job) -> None:
    assert look() == {}
    assert list(cluster.jobs) == [layout.job_name(running.id, 1)]
    assert row(deployment, running).status is Status.RUNNING


def test_a_result_whose_event_was_lost_is_found_in_the_bucket(
    deployment: Deployment, cluster: FakeCluster, running: Job
) -> None:
    write_event(deployment, running, "COMPLETED", 3, result=write_result(deployment, running))
    cluster.finish(layout.job_name(running.id, 1), "Complete", "CompletionsReached")
    assert look() == {"buried": 1}
    assert row(deployment, running).status is Status.COMPLETED


def test_a_failure_whose_event_was_lost_keeps_its_name(
    deployment: Deployment, cluster: FakeCluster, running: Job
) -> None:
    write_event(deployment, running, "FAILED", 1, failure=failure("CODE", file="crossover.py", line=3))
    cluster.jobs.clear()
    look()
    assert (row(deployment, running).status, row(deployment, running).failure_kind) == (Status.FAILED, "CODE")


def pod(name: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": f"{name}-abcde"}, "status": status}


def killed(container: str, reason: str) -> list[dict[str, Any]]:
    return [{"name": container, "state": {"terminated": {"reason": reason, "exitCode": 137}}}]


LOST = {"conditions": [{"type": "DisruptionTarget", "status": "True"}]}


@pytest.mark.parametrize(
    ("status", "kind"),  # kind: of the job's failure; None: it is tried again
    [
        ({"containerStatuses": killed("strategy", "OOMKilled")}, "OUT_OF_MEMORY"),
        ({"containerStatuses": killed("strategy", "Error")}, None),
        ({"initContainerStatuses": killed("sidecar", "OOMKilled")}, None),
        (LOST, None),
        ({"reason": "Evicted"}, None),
    ],
)
def test_a_pod_that_ended_without_a_word_is_asked_why(
    deployment: Deployment, cluster: FakeCluster, running: Job, status: dict[str, Any], kind: str | None
) -> None:
    name = layout.job_name(running.id, 1)
    cluster.finish(name, "Failed", "BackoffLimitExceeded")
    cluster.pods.append(pod(name, **status))
    look()
    after = row(deployment, running)
    assert (after.failure_kind, after.attempt) == (kind, 1 if kind else 2)
    assert [m["attempt"] for m in deployment.messages()] == ([2] if kind is None else [])
    spot = status is LOST or "reason" in status
    assert after.crashes == (0 if kind or spot else 1)


def test_a_pod_that_ran_out_of_memory_leaves_sizes_usage_and_last_lines_in_the_row(
    deployment: Deployment, cluster: FakeCluster, running: Job
) -> None:
    name = layout.job_name(running.id, 1)
    cluster.finish(name, "Failed", "BackoffLimitExceeded")
    dead = pod(
        name, containerStatuses=killed("strategy", "OOMKilled"), initContainerStatuses=killed("sidecar", "Error")
    )
    dead["spec"] = {"containers": [{"name": "strategy", "resources": {"limits": {"memory": "3072Mi"}}}]}
    said = {"peak_memory_bytes": 3 << 30, "cpu_seconds": 2.5, "sandbox": "runsc 1 ptrace"}
    dead["metadata"]["annotations"] = {"tapedeck/usage-strategy": json.dumps(said)}
    cluster.pods.append(dead)
    for part in (0, 1):
        lines = [json.dumps({"seq": n, "stream": "stdout", "at": "", "text": f"{part} {n}"}) for n in range(30)]
        deployment.put("runs", run_objects.log(running.id, 1, part), "\n".join(lines).encode())
    look()
    after = row(deployment, running)
    assert after.failure_kind == "OUT_OF_MEMORY"
    assert (after.failure_message or "").endswith("3072 MiB in memory at the peak, 3072 MiB allowed")
    assert after.usage == {**said, "reported_by": "node"}
    assert after.failure == {"last_lines": [f"1 {n}" for n in range(10, 30)]}


def test_a_sandbox_that_died_of_memory_as_a_whole_is_the_strategys_doing(
    deployment: Deployment, cluster: FakeCluster, running: Job
) -> None:
    name = layout.job_name(running.id, 1)
    cluster.finish(name, "Failed", "BackoffLimitExceeded")
    ends = killed("sidecar", "OOMKilled") + killed("strategy", "Error")
    cluster.pods.append(pod(name, containerStatuses=ends))
    look()
    assert row(deployment, running).failure_kind == "OUT_OF_MEMORY"


def test_the_deadline_is_a_timeout_of_what_ran(deployment: Deployment, cluster: FakeCluster, running: Job) -> None:
    cluster.finish(layout.job_name(running.id, 1), "Failed", "DeadlineExceeded")
    look()
    assert row(deployment, running).failure_kind == "TIMEOUT"


def test_a_run_that_found_no_machine_in_its_time_is_tried_again(deployment: Deployment, cluster: FakeCluster) -> None:
    job = submitted(deployment)
    deliver(dispatch, *deployment.messages())
    cluster.finish(layout.job_name(job.id, 1), "Failed", "DeadlineExceeded")
    look()
    assert (row(deployment, job).status, row(deployment, job).attempt) == (Status.PENDING, 2)


def test_the_third_crash_lies_on_the_dead_letter_queue(
    deployment: Deployment, cluster: FakeCluster, running: Job
) -> None:
    for attempt in (1, 2, 3):
        cluster.jobs.clear()
        look()
        if attempt < 3:
            deliver(dispatch, *deployment.messages())
    failed = row(deployment, running)
    assert (failed.status, failed.failure_kind, failed.attempt) == (Status.FAILED, "PLATFORM", 3)
    letters = deployment.messages("dead-letters")
    assert [(m["job_id"], m["failure"]["kind"]) for m in letters] == [(running.id, "PLATFORM")]
    look()
    assert deployment.messages("dead-letters") == []


def test_jobs_of_ended_attempts_are_cleared_from_the_cluster(
    deployment: Deployment, cluster: FakeCluster, running: Job
) -> None:
    cluster.jobs["stranger"] = {"metadata": {"name": "stranger"}}
    deployment.store.jobs.cancel(running.id)
    assert look() == {"cleared": 1}
    assert list(cluster.jobs) == ["stranger"]


def test_a_completed_run_may_finish_its_pod(
    deployment: Deployment, cluster: FakeCluster, running: Job, database: Database
) -> None:
    done = write_event(deployment, running, "COMPLETED", 3, result=write_result(deployment, running))
    deliver(record, created(done))
    look()
    assert len(cluster.jobs) == 1
    sql(database, "UPDATE backtest_jobs SET finished_at = now() - interval '61 seconds', report_status = 'READY'")
    look()
    assert cluster.jobs == {}


@pytest.fixture
def completed(deployment: Deployment, cluster: FakeCluster, running: Job) -> Job:
    """A run that said that it completed, whose Job is done and whose report nobody has made."""
    done = write_event(deployment, running, "COMPLETED", 3, result=write_result(deployment, running))
    deliver(record, created(done))
    cluster.finish(layout.job_name(running.id, 1), "Complete", "CompletionsReached")
    return running


@pytest.mark.usefixtures("completed")
def test_a_completed_run_without_a_report_is_noticed(database: Database) -> None:
    sql(database, "UPDATE backtest_jobs SET finished_at = now() - interval '3 minutes'")
    assert look() == {"reports missing": 1}


def test_a_report_that_no_delivery_made_is_given_up_so_that_nobody_waits_for_it(
    deployment: Deployment, completed: Job, database: Database
) -> None:
    sql(database, "UPDATE backtest_jobs SET finished_at = now() - interval '89 minutes'")
    assert look() == {"reports missing": 1}
    sql(database, "UPDATE backtest_jobs SET finished_at = now() - interval '91 minutes'")
    assert look() == {"reports given up": 1}
    job = deployment.store.jobs.get(completed.id)
    assert job and (job.status, job.report_status) == ("COMPLETED", "FAILED")
    assert look() == {}
    deployment.store.jobs.report_done(completed.id, 1, ready=True)  # rendered after all, out of the dead letters
    job = deployment.store.jobs.get(completed.id)
    assert job and job.report_status == "READY"


def test_a_cluster_that_is_away_keeps_the_rest_from_nothing(
    deployment: Deployment, cluster: FakeCluster, database: Database
) -> None:
    submitted(deployment)
    deployment.messages()
    sql(database, "UPDATE backtest_jobs SET queued_at = now() - interval '61 seconds'")
    cluster.refuses = True
    assert look() == {"enqueued": 1, "failed": 1}
    assert len(deployment.messages()) == 1
