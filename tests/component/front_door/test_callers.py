"""Who comes through the front door: signatures, sessions of roles, and a caller's own name."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import urllib3
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.local.iam import Principal, user
from tests.component.front_door.stack import ACCOUNT, OBJECTS, REGION, LocalAws, allow, code, policy


def signed_get(aws: LocalAws, who: Principal, service: str, **headers: str) -> AWSRequest:
    path = "/runs/one" if service == "s3" else "/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", aws.url + path, headers)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(Credentials(who.access_key, who.secret_key, who.token), service, REGION).add_auth(request)
    return request


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("s3", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"]),
        ("sts", ["MissingAuthenticationToken", "InvalidClientTokenId", "SignatureDoesNotMatch", "RequestExpired"]),
    ],
)
def test_each_fault_has_the_code_of_its_service(
    aws: LocalAws, alice: Principal, service: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
):
    def asked(request: AWSRequest, **changes: str) -> tuple[int, str]:
        headers = {k: v for k, v in {**dict(request.headers.items()), **changes}.items() if v}
        answer = urllib3.request("GET", request.url, headers=headers)
        return answer.status, answer.data.decode().partition("<Code>")[2].partition("</Code>")[0]

    good = signed_get(aws, alice, service)
    late = signed_get(aws, alice, service)
    stranger = signed_get(aws, user(ACCOUNT, "mallory"), service)
    answers = [asked(good, Authorization=""), asked(stranger), asked(good, **{"X-Amz-Security-Token": ""})]
    monkeypatch.setattr("infra.local.sigv4.SKEW", -1)
    answers.append(asked(late))
    assert answers == [(403, name) for name in expected]


def test_assuming_a_role_gives_a_session_that_its_policy_narrows(aws: LocalAws):
    who = aws.session(allow("sts:AssumeRole"), role="Credentials", name="function")
    aws.session(allow(OBJECTS, "arn:aws:s3:::runs/*"), role="Runner")
    narrow = policy(allow("s3:PutObject", "arn:aws:s3:::runs/job/1/*"))
    arn = f"arn:aws:iam::{ACCOUNT}:role/Runner"
    made = aws.client("sts", who).assume_role(
        RoleArn=arn, RoleSessionName="bt-job-1", Policy=json.dumps(narrow), DurationSeconds=3600
    )["Credentials"]
    s3 = boto3.client(
        "s3",
        region_name=REGION,
        endpoint_url=aws.url,
        aws_access_key_id=made["AccessKeyId"],
        aws_secret_access_key=made["SecretAccessKey"],
        aws_session_token=made["SessionToken"],
    )
    s3.put_object(Bucket="runs", Key="job/1/result.json", Body=b"{}")
    assert code(s3.put_object, Bucket="runs", Key="job/2/result.json", Body=b"{}") == (403, "AccessDenied")
    assert code(s3.get_object, Bucket="runs", Key="job/1/result.json") == (403, "AccessDenied")
    assert ("sts:AssumeRole", arn, True) in {(c.action, c.resource, c.allowed) for c in aws.calls}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"DurationSeconds": 7200}, (400, "ValidationError")),
        ({"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/None"}, (403, "AccessDenied")),
        ({"Policy": "{}"}, (400, "ValidationError")),
        ({"Tags": [{"Key": "a", "Value": "b"}]}, (501, "NotImplemented")),
    ],
)
def test_what_assume_role_cannot_do_is_said(aws: LocalAws, change: dict[str, Any], expected: tuple[int, str]):
    sts = aws.client("sts", aws.session(allow("sts:AssumeRole")))
    call = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/Researcher", "RoleSessionName": "alice", **change}
    assert code(sts.assume_role, **call) == expected


def test_a_caller_learns_who_he_is(aws: LocalAws, alice: Principal):
    answer = aws.client("sts", alice).get_caller_identity()
    assert (answer["Arn"], answer["UserId"], answer["Account"]) == (alice.arn, alice.user_id, ACCOUNT)


def test_a_cluster_learns_the_caller_from_a_presigned_url_replayed_with_its_host(aws: LocalAws, alice: Principal):
    host = f"sts.{REGION}.amazonaws.com"
    url = f"https://{host}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", url, {"x-k8s-aws-id": "tapedeck"})
    SigV4QueryAuth(Credentials(alice.access_key, alice.secret_key, alice.token), "sts", REGION, 60).add_auth(request)

    def replay(cluster: str) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=10)
        headers = {"Host": host, "x-k8s-aws-id": cluster, "Accept": "application/json"}
        connection.request("GET", "/?" + urlsplit(request.url).query, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, json.loads(body) if answer.status == 200 else {}

    status, body = replay("tapedeck")
    assert status == 200
    assert body["GetCallerIdentityResponse"]["GetCallerIdentityResult"]["Arn"] == alice.arn
    assert replay("another") == (403, {})
