"""A strategy dropped in the upload bucket, by its effects."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

import pytest

from functions import upload
from tests.component.deployment import BUCKETS, STRATEGY, Deployment
from tests.component.handlers import deliver

USER = "AROARESEARCHER:bob"


def drop(deployment: Deployment, body: bytes, path: str = "crossover.py") -> tuple[str, dict[str, Any]]:
    """Put an object; return its key and the notification that S3 sends."""
    key = f"incoming/{USER}/{path}"
    version = deployment.put("upload", key, body)
    record = {
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": f"AWS:{USER}"},
        "s3": {"bucket": {"name": BUCKETS["upload"]}, "object": {"key": quote_plus(key), "versionId": version}},
    }
    return key, {"Records": [record]}


def status(deployment: Deployment, key: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(deployment.read("upload", f"status/{key}.json"))
    return found


def test_a_dropped_strategy_becomes_a_job_of_who_dropped_it(deployment: Deployment) -> None:
    key, event = drop(deployment, STRATEGY, "my folder/cross over (2).py")
    assert deliver(upload, event) == []
    said = status(deployment, key)
    job = deployment.store.jobs.get(said["job_id"])
    assert said["status"] == "ACCEPTED"
    assert job is not None
    assert (job.user_id, job.name) == (USER, "cross_over__2_.py")
    assert [m["job_id"] for m in deployment.messages()] == [job.id]


def test_a_notification_repeated_is_the_same_job(deployment: Deployment) -> None:
    key, event = drop(deployment, STRATEGY)
    assert deliver(upload, event, event) == []
    assert len(deployment.messages()) == 1
    first = status(deployment, key)["job_id"]
    _, again = drop(deployment, STRATEGY)
    deliver(upload, again)
    assert status(deployment, key)["job_id"] != first  # a new version is a new submission


def test_what_is_checked_is_what_runs(deployment: Deployment) -> None:
    key, event = drop(deployment, STRATEGY)
    drop(deployment, b"import evil\n")
    deliver(upload, event)
    job = deployment.store.jobs.get(status(deployment, key)["job_id"])
    assert job is not None
    assert deployment.read("runs", job.code_s3_path.removeprefix("s3://tapedeck-runs/")) == STRATEGY


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"def f(:\n", "SYNTAX_ERROR"), (b"x = 1\n", "NO_STRATEGY"), (b"#" * (4 * 1024 * 1024 + 1), "TOO_LARGE")],
)
def test_a_drop_that_is_no_strategy_is_refused_in_its_status(deployment: Deployment, body: bytes, code: str) -> None:
    key, event = drop(deployment, body)
    assert deliver(upload, event) == []
    assert (status(deployment, key)["status"], status(deployment, key)["error"]["code"]) == ("REFUSED", code)
    assert deployment.messages() == []


def test_s3s_test_message_is_nothing(deployment: Deployment) -> None:
    assert deliver(upload, {"Service": "Amazon S3", "Event": "s3:TestEvent"}) == []


def test_one_bad_message_fails_alone(deployment: Deployment) -> None:
    _, event = drop(deployment, STRATEGY)
    assert deliver(upload, "no json", event) == ["0"]
    assert len(deployment.messages()) == 1
