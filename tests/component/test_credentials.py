"""A sidecar's token becomes credentials for its own attempt, and nobody else's."""

from __future__ import annotations

import json
import time
from typing import Any

import boto3
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

import run_objects
from backtest import layout
from backtest.credentials import session_policy
from backtest.events import Failure
from backtest.store.rows import Job
from functions import credentials
from infra.local import iam
from tests.component.deployment import BUCKETS, Deployment
from tests.component.fake_cluster import FakeCluster
from tests.component.handlers import CONTEXT
from tests.component.runs import submitted


def ask(token: str) -> tuple[int, dict[str, Any]]:
    answer = credentials.handler({"headers": {"Authorization": token}}, CONTEXT)
    return answer["statusCode"], json.loads(answer["body"])


def pod_name(job: Job, attempt: int = 1) -> str:
    return layout.job_name(job.id, attempt) + "-abcde"


def test_the_current_attempts_pod_gets_an_hour_of_credentials(deployment: Deployment, cluster: FakeCluster) -> None:
    job = submitted(deployment)
    status, said = ask(cluster.token(pod_name(job)))
    assert status == 200
    assert set(said) == {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
    left = time.mktime(time.strptime(said["Expiration"], "%Y-%m-%dT%H:%M:%SZ")) - time.mktime(time.gmtime())
    assert 3500 < left < 3700
    session = boto3.client(
        "sts",
        aws_access_key_id=said["AccessKeyId"],
        aws_secret_access_key=said["SecretAccessKey"],
        aws_session_token=said["Token"],
    )
    assert session.get_caller_identity()["Arn"].endswith(f"assumed-role/runner/{layout.job_name(job.id, 1)}")


WRONG: dict[str, dict[str, Any]] = {
    "another audience": {"aud": ["sts.amazonaws.com"]},
    "expired": {"exp": int(time.time()) - 10},
    "another service account": {"sub": "system:serviceaccount:backtests:default"},
    "another namespace": {"sub": "system:serviceaccount:default:sidecar"},
    "bound to another namespace": {"kubernetes.io": {"namespace": "default", "pod": {"name": "x"}}},
    "bound to no pod": {"kubernetes.io": {"namespace": "backtests"}},
    "no binding at all": {"kubernetes.io": None},
    "bound to no pod of ours": {"kubernetes.io": {"namespace": "backtests", "pod": {"name": "nginx"}}},
}


@pytest.mark.parametrize("changed", WRONG.values(), ids=list(WRONG))
def test_a_token_that_is_not_right_is_refused(
    deployment: Deployment, cluster: FakeCluster, changed: dict[str, Any]
) -> None:
    job = submitted(deployment)
    status, said = ask(cluster.token(pod_name(job), **changed))
    assert (status, said["code"]) == (401, "BAD_TOKEN")


def test_a_token_that_the_cluster_did_not_sign_is_refused(deployment: Deployment, cluster: FakeCluster) -> None:
    job = submitted(deployment)
    good = cluster.token(pod_name(job))
    claims = jwt.decode(good, options={"verify_signature": False})
    forger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = [
        jwt.encode(claims, forger, algorithm="RS256", headers={"kid": "k1"}),
        jwt.encode(claims, forger, algorithm="RS256", headers={"kid": "k2"}),
        jwt.encode(claims, "k" * 32, algorithm="HS256", headers={"kid": "k1"}),
        jwt.encode(claims, None, algorithm="none", headers={"kid": "k1"}),
        good[:-4] + "AAAA",
        "",
        "not a token",
    ]
    assert [ask(token)[0] for token in forged] == [401] * len(forged)


def test_a_zombie_and_an_ended_job_get_nothing(deployment: Deployment, cluster: FakeCluster) -> None:
    job = submitted(deployment)
    first, second = cluster.token(pod_name(job)), cluster.token(pod_name(job, 2))
    assert ask(second)[0] == 403
    deployment.store.jobs.end_attempt(job.id, 1, Failure(kind="SPOT_LOST", message=""))
    assert (ask(first)[0], ask(second)[0]) == (403, 200)
    deployment.store.jobs.cancel(job.id)
    assert ask(second)[0] == 403


def test_an_unreachable_cluster_is_a_503(deployment: Deployment, cluster: FakeCluster) -> None:
    job = submitted(deployment)
    cluster.refuses = True
    assert ask(cluster.token(pod_name(job)))[0] == 503


def test_a_session_opens_its_own_attempt_and_nothing_else(deployment: Deployment) -> None:
    job, other = submitted(deployment), submitted(deployment)
    policy = session_policy(job, BUCKETS["runs"], BUCKETS["market"])
    assert len(json.dumps(policy, separators=(",", ":"))) <= 2048  # what STS takes
    allowed = {
        ("s3:GetObject", f"{BUCKETS['market']}/equities-1d/AAPL/2020/01.parquet"),
        ("s3:GetObject", f"{BUCKETS['runs']}/{run_objects.run_manifest(job.id)}"),
        ("s3:GetObject", f"{BUCKETS['runs']}/{layout.code(job.code_digest, 'crossover.py')}"),
        ("s3:PutObject", f"{BUCKETS['runs']}/{run_objects.result(job.id, 1)}"),
        ("s3:PutObject", f"{BUCKETS['runs']}/{run_objects.event(job.id, 1, 0)}"),
    }
    refused = {
        ("s3:PutObject", f"{BUCKETS['market']}/equities-1d/AAPL/2020/01.parquet"),
        ("s3:PutObject", f"{BUCKETS['runs']}/{run_objects.run_manifest(job.id)}"),
        ("s3:PutObject", f"{BUCKETS['runs']}/{run_objects.result(job.id, 2)}"),
        ("s3:PutObject", f"{BUCKETS['runs']}/{run_objects.result(job.id, 11)}"),
        ("s3:GetObject", f"{BUCKETS['runs']}/{run_objects.result(other.id, 1)}"),
        ("s3:GetObject", f"{BUCKETS['runs']}/code/{'0' * 64}/crossover.py"),
        ("s3:DeleteObject", f"{BUCKETS['runs']}/{run_objects.result(job.id, 1)}"),
        ("s3:GetObject", "elsewhere/key"),
    }
    assert {(a, r) for a, r in allowed | refused if permits(policy, a, r)} == allowed


def permits(policy: dict[str, Any], action: str, resource: str) -> bool:
    """What IAM's rules say of a session with this policy under a role that may do everything."""
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    session = iam.Principal(
        arn="arn:aws:sts::123456789012:assumed-role/runner/x",
        user_id="AROA:x",
        account="123456789012",
        access_key="A",
        secret_key="s",
        token="t",
        policies=(everything,),
        session_policy=policy,
    )
    return iam.evaluate(session, action, f"arn:aws:s3:::{resource}", {}).allowed
