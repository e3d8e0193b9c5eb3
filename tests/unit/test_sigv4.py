"""Verification against what real clients' signers make: botocore signs, we judge."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.local.iam import Identities, Principal, Role, user
from infra.local.inbound import Inbound
from infra.local.sigv4 import Fault, RefusedError, Signed, verify

REGION = "us-east-1"
ALICE = user("123456789012", "alice")
ROLE = Role("arn:aws:iam::123456789012:role/Researcher", {"Version": "2012-10-17", "Statement": []})
IDENTITIES = Identities()
IDENTITIES.add(ALICE)
IDENTITIES.add_role(ROLE)
HOST = "127.0.0.1:8400"


def signed(
    method: str = "POST",
    path: str = "/api/prod/v1/backtest?page=2&filter=a%20b",
    body: bytes = b"{}",
    *,
    service: str = "execute-api",
    who: Principal = ALICE,
    signer: Any = None,
    **headers: str,
) -> Inbound:
    request = AWSRequest(method, f"http://{HOST}{path}", {k.replace("_", "-"): v for k, v in headers.items()}, body)
    signer = signer or (S3SigV4Auth if service == "s3" else SigV4Auth)
    signer(Credentials(who.access_key, who.secret_key, who.token), service, REGION).add_auth(request)
    sent = {name.lower(): value for name, value in request.prepare().headers.items()}
    url = urlsplit(request.url)
    return Inbound(method, url.path, url.query, {"host": HOST, **sent}, body, "127.0.0.1")


def judged(request: Inbound, **options: Any) -> Signed:
    return verify(request, IDENTITIES.by_access_key, region=REGION, **options)


def fault(request: Inbound, **options: Any) -> Fault:
    with pytest.raises(RefusedError) as refused:
        judged(request, **options)
    return refused.value.fault


@pytest.mark.parametrize("service", ["execute-api", "sqs", "sts", "s3", "secretsmanager"])
@pytest.mark.parametrize("path", ["/", "/a/b?x=1&a=2", "/runs/a%20b/%C3%A9%3D?versionId=1", "/a//b/../c?flag"])
def test_what_botocore_signs_is_accepted(service: str, path: str):
    assert judged(signed(path=path, service=service)).principal is ALICE


def test_temporary_credentials_are_accepted_with_their_token_only():
    session = IDENTITIES.assume(ROLE.arn, "alice")
    assert judged(signed(who=session)).principal is session
    assert fault(signed(who=replace(session, token="another"))) is Fault.BAD_TOKEN
    assert fault(signed(who=replace(session, token=None))) is Fault.BAD_TOKEN
    assert fault(signed(who=replace(ALICE, token="made up"))) is Fault.BAD_TOKEN


def test_expired_credentials_are_refused():
    session = IDENTITIES.assume(ROLE.arn, "alice", duration=-1)
    assert fault(signed(who=session)) is Fault.EXPIRED_TOKEN


def test_an_unsigned_request_is_refused():
    request = signed()
    del request.headers["authorization"]
    assert fault(request) is Fault.MISSING


def test_an_unknown_key_and_a_wrong_secret_are_told_apart():
    assert fault(signed(who=user("123456789012", "mallory"))) is Fault.UNKNOWN_KEY
    assert fault(signed(who=replace(ALICE, secret_key="guess"))) is Fault.SIGNATURE


@pytest.mark.parametrize("service", ["execute-api", "s3"])
@pytest.mark.parametrize(
    "change",
    [
        {"body": b'{"more": 1}'},
        {"path": "/api/prod/v1/other"},
        {"query": "page=3&filter=a%20b"},
        {"method": "PUT"},
    ],
)
def test_a_request_that_was_changed_on_its_way_is_refused(service: str, change: dict[str, Any]):
    assert fault(replace(signed(service=service), **change)) is Fault.SIGNATURE


def test_a_signed_header_that_was_changed_or_lost_is_refused():
    request = signed(client_request_token="one")
    assert judged(request)
    assert fault(replace(request, headers={**request.headers, "client-request-token": "two"})) is Fault.SIGNATURE
    del request.headers["client-request-token"]
    assert fault(request) is Fault.SIGNATURE


def test_an_amz_header_that_was_added_on_the_way_is_refused():
    request = signed("PUT", service="s3")
    request.headers["x-amz-copy-source"] = "/vendor/secret"
    assert fault(request) is Fault.SIGNATURE


def test_a_declared_body_hash_must_be_the_bodys():
    request = signed("PUT", "/runs/a", service="s3")
    assert fault(replace(request, body=b"other")) is Fault.SIGNATURE


def test_an_unsigned_body_counts_for_s3_only():
    class Unsigned(S3SigV4Auth):
        def payload(self, request: Any) -> str:
            return "UNSIGNED-PAYLOAD"

    assert judged(replace(signed("PUT", "/runs/a", service="s3", signer=Unsigned), body=b"anything"))
    assert fault(signed("PUT", "/runs/a", service="sqs", signer=Unsigned)) is Fault.NOT_IMPLEMENTED


@pytest.mark.parametrize("offset", [-301, 301])
def test_a_replay_after_five_minutes_is_refused(offset: int):
    request = signed()
    assert fault(request, clock=lambda: time.time() + offset) is Fault.SKEWED
    assert judged(request, clock=lambda: time.time() + offset * 0.98)


def test_a_signature_for_another_service_or_region_does_not_count():
    assert fault(signed(service="sqs"), service="execute-api") is Fault.MALFORMED
    with pytest.raises(RefusedError):
        verify(signed(), IDENTITIES.by_access_key, region="eu-west-1")


def presigned(service: str, signer: Any, expires: int = 60, **headers: str) -> Inbound:
    path = "/runs/a%20b?versionId=3" if service == "s3" else "/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", f"http://{HOST}{path}", {k.replace("_", "-"): v for k, v in headers.items()})
    who = IDENTITIES.assume(ROLE.arn, "alice")
    signer(Credentials(who.access_key, who.secret_key, who.token), service, REGION, expires=expires).add_auth(request)
    url = urlsplit(request.url)
    sent = {"host": HOST, **{k.lower(): v for k, v in request.headers.items()}}
    return Inbound("GET", url.path, url.query, sent, b"", "127.0.0.1")


@pytest.mark.parametrize(("service", "signer"), [("s3", S3SigV4QueryAuth), ("sts", SigV4QueryAuth)])
def test_presigned_urls_are_accepted_until_they_expire(service: str, signer: Any):
    request = presigned(service, signer)
    assert judged(request).principal.user_id.endswith(":alice")
    assert fault(request, clock=lambda: time.time() + 61) is Fault.EXPIRED
    assert fault(request, clock=lambda: time.time() - 301) is Fault.SKEWED
    longer = replace(request, query=request.query.replace("X-Amz-Expires=60", "X-Amz-Expires=600"))
    assert fault(longer) is Fault.SIGNATURE


def test_a_presigned_urls_signed_header_must_come_with_it():
    request = presigned("sts", SigV4QueryAuth, x_k8s_aws_id="tapedeck")
    assert judged(request)
    assert fault(replace(request, headers={**request.headers, "x-k8s-aws-id": "other"})) is Fault.SIGNATURE
    assert fault(replace(request, headers={"host": HOST})) is Fault.SIGNATURE


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Signature=0",
        "X-Amz-Signature=0&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=nonsense&X-Amz-Expires=60",
    ],
)
def test_a_query_that_is_half_signed_is_malformed(query: str):
    assert fault(Inbound("GET", "/", query, {"host": HOST}, b"", "127.0.0.1")) is Fault.MALFORMED


def test_two_signatures_are_one_too_many():
    request = presigned("s3", S3SigV4QueryAuth)
    request.headers["authorization"] = "AWS4-HMAC-SHA256 ..."
    assert fault(request) is Fault.MALFORMED
