"""The cluster is made to agree with the row: over HTTPS, with a token that STS would verify."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import run_objects
from backtest import layout
from backtest.events import Failure
from backtest.job import Status
from backtest.manifest import Attempt, ClusterSettings, job_manifest
from functions import dispatch
from sandbox import policy
from tests.component.deployment import BUCKETS, Deployment
from tests.component.fake_cluster import NAMESPACE, FakeCluster
from tests.component.handlers import deliver
from tests.component.runs import submitted


def test_a_pending_job_becomes_the_job_that_its_manifest_says(deployment: Deployment, cluster: FakeCluster) -> None:
    job = submitted(deployment)
    assert deliver(dispatch, *deployment.messages()) == []
    settings = ClusterSettings(
        namespace=NAMESPACE,
        sidecar_image="registry/sidecar@sha256:1",
        strategy_image="registry/strategy@sha256:2",
        runs_bucket=BUCKETS["runs"],
        market_bucket=BUCKETS["market"],
        credentials_url="https://internal/live/credentials",
        region="us-east-1",
    )
    wanted = job_manifest(Attempt(job.id, 1, job.manifest_digest, 7200), settings, policy.load())
    assert list(cluster.jobs.values()) == [wanted]
    row = deployment.store.jobs.get(job.id)
    assert row is not None
    assert row.dispatched_at is not None


def test_the_token_is_a_presigned_sts_call_bound_to_the_cluster(deployment: Deployment, cluster: FakeCluster) -> None:
    submitted(deployment)
    deliver(dispatch, *deployment.messages())
    token = cluster.asked[0][2]
    assert token.startswith("k8s-aws-v1.")
    body = token.removeprefix("k8s-aws-v1.")
    url = urlsplit(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode())
    query = {k: v[0] for k, v in parse_qs(url.query).items()}
    assert url.hostname == "sts.us-east-1.amazonaws.com"
    assert (query["Action"], query["X-Amz-Expires"]) == ("GetCallerIdentity", "60")
    assert query["X-Amz-SignedHeaders"] == "host;x-k8s-aws-id"


def test_a_message_delivered_twice_makes_one_job(deployment: Deployment, cluster: FakeCluster) -> None:
    submitted(deployment)
    messages = deployment.messages()
    assert deliver(dispatch, *messages * 2) == []
    assert len(cluster.jobs) == 1


def test_a_cancelled_job_is_deleted_from_the_cluster(deployment: Deployment, cluster: FakeCluster) -> None:
    job = submitted(deployment)
    messages = deployment.messages()
    deliver(dispatch, *messages)
    deployment.store.jobs.cancel(job.id)
    assert deliver(dispatch, *messages) == []
    assert cluster.jobs == {}


def test_a_stale_message_makes_nothing(deployment: Deployment, cluster: FakeCluster) -> None:
    job = submitted(deployment)
    old = deployment.messages()
    deployment.store.jobs.end_attempt(job.id, 1, Failure(kind="SPOT_LOST", message=""))
    assert deliver(dispatch, *old) == []
    assert cluster.jobs == {}
    deliver(dispatch, {**old[0], "attempt": 2})
    assert list(cluster.jobs) == [layout.job_name(job.id, 2)]


def test_a_cluster_that_refuses_leaves_the_message_on_the_queue(deployment: Deployment, cluster: FakeCluster) -> None:
    job = submitted(deployment)
    cluster.refuses = True
    assert deliver(dispatch, *deployment.messages()) == ["0"]
    row = deployment.store.jobs.get(job.id)
    assert row is not None
    assert row.dispatched_at is None


def test_a_run_manifest_that_was_changed_is_not_run(deployment: Deployment, cluster: FakeCluster) -> None:
    job = submitted(deployment)
    key = run_objects.run_manifest(job.id)
    deployment.put("runs", key, deployment.read("runs", key).replace(b"strategy@sha256:2", b"strategy@sha256:3"))
    assert deliver(dispatch, *deployment.messages()) == ["0"]
    assert cluster.jobs == {}


def test_a_later_attempt_has_what_is_left_of_the_runs_time(deployment: Deployment, cluster: FakeCluster) -> None:
    job = submitted(deployment)
    message = deployment.messages()[0]
    dispatcher = dispatch.dispatcher()
    with dispatcher.store.jobs._database.transaction() as c:
        c.cursor().execute("UPDATE backtest_jobs SET used_seconds = 7000")
    deliver(dispatch, message)
    assert cluster.jobs[layout.job_name(job.id, 1)]["spec"]["activeDeadlineSeconds"] == 200
    other = submitted(deployment)
    with dispatcher.store.jobs._database.transaction() as c:
        c.cursor().execute("UPDATE backtest_jobs SET used_seconds = 7190")
    deliver(dispatch, {**message, "job_id": other.id})
    row = deployment.store.jobs.get(other.id)
    assert row is not None
    assert (row.status, row.failure_kind) == (Status.FAILED, "TIMEOUT")


def test_a_malformed_message_fails_alone(deployment: Deployment, cluster: FakeCluster) -> None:
    submitted(deployment)
    assert deliver(dispatch, {"job_id": "../../etc"}, *deployment.messages()) == ["0"]
    assert len(cluster.jobs) == 1
