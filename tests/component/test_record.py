"""Events in the bucket become the row's state, whatever order they come in and whatever they hold."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import run_objects
from backtest import layout, view
from backtest.job import Status
from backtest.store.rows import Job
from functions import api, record
from tests.component.deployment import Deployment
from tests.component.handlers import created, deliver
from tests.component.runs import failure, submitted, write_event, write_result


def row(deployment: Deployment, job: Job) -> Job:
    found = deployment.store.jobs.get(job.id)
    assert found is not None
    return found


def progress(done: int) -> dict[str, object]:
    return {"done": done, "total": 100, "session": "2020-02-03"}


def test_a_run_is_followed_from_its_start_to_its_result(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    job = submitted(deployment)
    keys = [
        write_event(deployment, job, "STARTED", 0),
        write_event(deployment, job, "PROGRESS", 1, progress=progress(50)),
        write_event(deployment, job, "COMPLETED", 2, result=write_result(deployment, job)),
    ]
    assert deliver(record, *map(created, keys)) == []
    done = row(deployment, job)
    assert done.status is Status.COMPLETED
    assert done.metrics is not None
    assert done.metrics["values"] == {"sharpe": 0.5, "calmar": None}
    assert done.result_s3_path == f"s3://tapedeck-runs/{run_objects.result(job.id, 1)}"
    assert done.progress == progress(50)
    published = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert {name for m in published for name in ("TimeToStartSeconds", "RunSeconds") if name in m} == {
        "TimeToStartSeconds",
        "RunSeconds",
    }


def test_reordered_and_repeated_events_end_in_the_same_row(deployment: Deployment) -> None:
    job = submitted(deployment)
    keys = [
        write_event(deployment, job, "COMPLETED", 3, result=write_result(deployment, job)),
        write_event(deployment, job, "PROGRESS", 2, progress=progress(90)),
        write_event(deployment, job, "STARTED", 0),
    ]
    assert deliver(record, *map(created, keys * 2)) == []
    assert row(deployment, job).status is Status.COMPLETED
    assert [e["type"] for e in deployment.store.jobs.history(job.id)] == [
        "SUBMITTED",
        "COMPLETED",
        "PROGRESS",
        "STARTED",
    ]


def test_the_codes_failure_names_file_and_line(deployment: Deployment) -> None:
    job = submitted(deployment)
    said = failure("CODE", file="crossover.py", line=12, traceback="Traceback ...")
    deliver(record, created(write_event(deployment, job, "FAILED", 1, failure=said)))
    failed = row(deployment, job)
    assert (failed.status, failed.failure_kind, failed.failure_message) == (Status.FAILED, "CODE", "CODE it is")
    where = {"file": "crossover.py", "line": 12, "traceback": "Traceback ..."}
    assert failed.failure == {**where, "last_lines": []}


def test_what_a_run_took_and_its_last_lines_are_in_its_row(deployment: Deployment) -> None:
    usage = {"peak_memory_bytes": 5 << 20, "cpu_seconds": 1.25, "sandbox": "gvisor", "reported_by": "strategy"}
    failed = submitted(deployment)
    said = failure("CODE", last_lines=["almost", "there"])
    deliver(record, created(write_event(deployment, failed, "FAILED", 1, failure=said, usage=usage)))
    shown = view.job_view(row(deployment, failed))
    assert (shown["usage"], shown["failure"]["last_lines"]) == (usage, ["almost", "there"])
    done = submitted(deployment, "AROA:bob")
    ref = write_result(deployment, done, usage=usage)
    deliver(record, created(write_event(deployment, done, "COMPLETED", 2, result=ref)))
    assert view.job_view(row(deployment, done))["usage"] == usage


@pytest.mark.parametrize(("kind", "crashes"), [("PLATFORM", 1), ("SPOT_LOST", 0)])
def test_what_is_not_the_runs_fault_is_tried_again(deployment: Deployment, kind: str, crashes: int) -> None:
    job = submitted(deployment)
    deployment.messages()
    deliver(record, created(write_event(deployment, job, "FAILED", 1, failure=failure(kind))))
    again = row(deployment, job)
    assert (again.status, again.attempt, again.crashes) == (Status.PENDING, 2, crashes)
    assert [m["attempt"] for m in deployment.messages()] == [2]


def test_an_old_attempt_cannot_touch_the_new_one(deployment: Deployment) -> None:
    job = submitted(deployment)
    zombie = write_event(deployment, job, "COMPLETED", 5, result=write_result(deployment, job))
    deliver(record, created(write_event(deployment, job, "DRAINED", 1)))
    deliver(record, created(zombie))
    assert (row(deployment, job).status, row(deployment, job).attempt) == (Status.PENDING, 2)


@pytest.mark.parametrize(
    "changed",
    [
        {"manifest_digest": "0" * 64},
        {"attempt": 2},
        {"metrics": {"sharpe": float("nan")}},
        {"metrics": {"deep": [{"sharpe": float("inf")}]}},
        {"artifacts": {"x": {"key": "runs/other/1/artifacts/x", "sha256": "3" * 64, "bytes": 1}}},
        {"surprise": 1},
    ],
)
def test_a_result_that_is_not_right_is_not_taken(deployment: Deployment, changed: dict[str, object]) -> None:
    job = submitted(deployment)
    ref = write_result(deployment, job, **changed)
    deliver(record, created(write_event(deployment, job, "COMPLETED", 1, result=ref)))
    again = row(deployment, job)
    assert (again.status, again.attempt, again.metrics) == (Status.PENDING, 2, None)


def test_a_result_with_another_digest_than_its_event_says_is_not_taken(deployment: Deployment) -> None:
    job = submitted(deployment)
    ref = {**write_result(deployment, job), "sha256": "0" * 64}
    deliver(record, created(write_event(deployment, job, "COMPLETED", 1, result=ref)))
    assert row(deployment, job).status is Status.PENDING


def test_a_result_is_read_in_the_version_that_its_event_pins(deployment: Deployment) -> None:
    job = submitted(deployment)
    ref = write_result(deployment, job)
    deployment.put("runs", ref["key"], b"overwritten")
    deliver(record, created(write_event(deployment, job, "COMPLETED", 1, result=ref)))
    assert row(deployment, job).status is Status.COMPLETED
    assert row(deployment, job).result_version == ref["version_id"]


def test_events_that_nobody_can_use_are_dropped_and_change_nothing(deployment: Deployment) -> None:
    job, other = submitted(deployment), submitted(deployment)
    key = run_objects.event(job.id, 1, 0)
    stolen = write_event(deployment, other, "STARTED", 0)
    bodies = [
        b"no json",
        b"{}",
        deployment.read("runs", stolen),  # speaks of another job than its key
        b'{"schema": 1' + b" " * 200_000 + b"}",
        deployment.read("runs", stolen).replace(other.id.encode(), job.id.encode()).replace(b"}", b', "x": 1}'),
        deployment.read("runs", stolen).replace(other.id.encode(), job.id.encode()).replace(b"STARTED", b"FAILED"),
    ]
    for body in bodies:
        deployment.put("runs", key, body)
        assert deliver(record, created(key)) == []
    assert deliver(record, created("runs/x/events/1.json"), created(run_objects.event(job.id, 1, 77))) == []
    assert row(deployment, job).status is Status.PENDING
    assert len(deployment.store.jobs.history(job.id)) == 1


def test_a_message_that_cannot_be_recorded_is_delivered_again_alone(deployment: Deployment) -> None:
    job = submitted(deployment)
    good = created(write_event(deployment, job, "STARTED", 0))
    assert deliver(record, "not json", good) == ["0"]
    assert row(deployment, job).status is Status.RUNNING


def test_results_and_report_links_are_served_when_they_are_there(deployment: Deployment) -> None:
    job = submitted(deployment)
    deliver(record, created(write_event(deployment, job, "COMPLETED", 1, result=write_result(deployment, job))))
    results = view.results_view(row(deployment, job), api.desk().runs)
    assert results["artifacts"]["equity.csv"]["url"].startswith("https://")
    assert results["metrics"]["values"]["sharpe"] == 0.5
    deployment.store.jobs.report_done(job.id, 1, ready=True)
    deployment.put("runs", layout.report(job.id, "report.html"), b"<html>")
    ready = row(deployment, job)
    assert view.report_view(ready, api.desk().runs)["status"] == "READY"
    assert view.report_page(ready, api.desk().runs) == b"<html>"
    times = view.job_view(replace(ready))["times"]
    assert times["duration_s"] >= 0
    assert times["time_to_start_s"] >= 0
