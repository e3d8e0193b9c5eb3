"""Signed HTTP requests to the local API Gateway: what the function sees, what the caller gets back."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.local.front_door import Call
from infra.local.gateway import Gateway
from infra.local.iam import Identities, Principal, Role, user
from infra.local.serving import serving
from infra.local.wires import Method, RestApi
from tests.component.front_door.stack import ACCOUNT, REGION, allow, policy

ROUTES = [
    Method("POST", "/v1/backtest", "AWS_IAM", "api"),
    Method("GET", "/v1/backtest/{id}", "AWS_IAM", "api"),
    Method("GET", "/v1/backtest/latest", "AWS_IAM", "latest"),
    Method("ANY", "/v1/files/{proxy+}", "AWS_IAM", "files"),
    Method("GET", "/v2/hidden", "AWS_IAM", "api"),
]
PUBLIC = RestApi("abc123", "tapedeck", REGION, ("multipart/form-data", "image/*"), "live", ROUTES)
INTERNAL = RestApi("def456", "internal", REGION, (), "live", [Method("GET", "/credentials", "NONE", "credentials")])
ARN = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:abc123"
ROLE = Role(
    f"arn:aws:iam::{ACCOUNT}:role/Researcher",
    {"Version": "2012-10-17", "Statement": []},
    (policy(allow("execute-api:Invoke", f"{ARN}/live/*/v1/*")),),
)


class Running:
    """A gateway whose functions answer what `answer` makes of the event."""

    def __init__(self) -> None:
        self.identities = Identities()
        self.identities.add_role(ROLE)
        self.alice = self.identities.assume(ROLE.arn, "alice")
        self.invoked: list[tuple[str, dict[str, Any]]] = []
        self.calls: list[Call] = []
        self.answer: Callable[[dict[str, Any]], Any] = lambda _: {"statusCode": 200, "body": "{}"}
        self.port = 0

    def invoke(self, function: str, event: dict[str, Any], timeout_s: float) -> Any:
        self.invoked.append((function, event))
        return self.answer(event)

    def signed(
        self, method: str, path: str, *, body: bytes = b"", who: Principal | None = None, **headers: str
    ) -> AWSRequest:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = AWSRequest(method, f"http://127.0.0.1:{self.port}{path}", names, body)
        who = who or self.alice
        SigV4Auth(Credentials(who.access_key, who.secret_key, who.token), "execute-api", REGION).add_auth(request)
        return request

    def send(self, request: AWSRequest, **changes: Any) -> tuple[int, Any, dict[str, str]]:
        headers = {**dict(request.headers.items()), **changes.pop("headers", {})}
        kept = {name: value for name, value in headers.items() if value}
        sent = {"method": request.method, "url": request.url, "body": request.data or None, **changes}
        answer = urllib3.request(**sent, headers=kept, timeout=20, retries=False)
        kind = answer.headers.get("Content-Type", "")
        return answer.status, json.loads(answer.data) if "json" in kind else answer.data, dict(answer.headers)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    gate = Running()
    app = Gateway(
        [PUBLIC, INTERNAL], gate.identities.by_access_key, gate.invoke, record=gate.calls.append, timeout_s=0.5
    )
    with serving(app, threads=4) as gate.port:
        yield gate


@pytest.fixture
def gate(running: Running) -> Running:
    running.invoked.clear()
    running.calls.clear()
    running.answer = lambda _: {"statusCode": 200, "body": "{}"}
    return running


def test_a_signed_call_reaches_its_function_with_who_called(gate: Running):
    path = "/tapedeck/live/v1/backtest/a%20b?page=1&page=2&empty="
    status, _, _ = gate.send(gate.signed("GET", path, client_request_token="t1", accept="text/html"))
    ((function, event),) = gate.invoked
    assert (status, function) == (200, "api")
    assert (event["resource"], event["path"]) == ("/v1/backtest/{id}", "/v1/backtest/a%20b")
    assert event["pathParameters"] == {"id": "a b"}
    assert event["queryStringParameters"] == {"page": "2", "empty": ""}
    assert event["multiValueQueryStringParameters"] == {"page": ["1", "2"], "empty": [""]}
    assert event["headers"]["Client-Request-Token"] == "t1"
    assert "Authorization" not in event["headers"]
    assert (event["body"], event["isBase64Encoded"]) == (None, False)
    identity = event["requestContext"]["identity"]
    assert identity["user"] == identity["caller"] == gate.alice.user_id
    assert identity["userArn"] == gate.alice.arn
    assert identity["accessKey"] == gate.alice.access_key
    assert event["requestContext"]["path"] == "/live/v1/backtest/a%20b"
    assert [(c.action, c.resource, c.allowed) for c in gate.calls] == [
        ("execute-api:Invoke", f"{ARN}/live/GET/v1/backtest/a b", True)
    ]


def test_a_binary_media_type_arrives_in_base64_and_text_as_it_is(gate: Running):
    raw = b"--x\r\n\xff\x00\r\n--x--"
    form = "multipart/form-data; boundary=x"
    gate.send(gate.signed("POST", "/tapedeck/live/v1/backtest", body=raw, content_type=form))
    gate.send(gate.signed("POST", "/tapedeck/live/v1/backtest", body=b'{"a": 1}', content_type="application/json"))
    (_, binary), (_, text) = gate.invoked
    assert (base64.b64decode(binary["body"]), binary["isBase64Encoded"]) == (raw, True)
    assert (text["body"], text["isBase64Encoded"]) == ('{"a": 1}', False)


def test_routes_prefer_fixed_segments_and_know_greedy_ones(gate: Running):
    gate.send(gate.signed("GET", "/tapedeck/live/v1/backtest/latest"))
    gate.send(gate.signed("DELETE", "/tapedeck/live/v1/files/a/b.txt"))
    assert [name for name, _ in gate.invoked] == ["latest", "files"]
    assert gate.invoked[1][1]["pathParameters"] == {"proxy": "a/b.txt"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/tapedeck/live/v1/nothing"),
        ("DELETE", "/tapedeck/live/v1/backtest"),
        ("GET", "/tapedeck/live/v1/backtest/"),
        ("GET", "/tapedeck/live/v1/backtest/1/2"),
    ],
)
def test_what_is_no_route_is_answered_as_by_api_gateway(gate: Running, method: str, path: str):
    assert gate.send(gate.signed(method, path))[:2] == (403, {"message": "Missing Authentication Token"})


def test_an_unknown_api_or_stage_is_forbidden(gate: Running):
    assert gate.send(gate.signed("GET", "/tapedeck/test/v1/backtest/1"))[:2] == (403, {"message": "Forbidden"})
    assert gate.send(gate.signed("GET", "/"))[:2] == (403, {"message": "Forbidden"})
    assert gate.invoked == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"headers": {"Authorization": ""}}, "MissingAuthenticationTokenException"),
        ({"headers": {"Authorization": "Bearer abc"}}, "IncompleteSignatureException"),
        ({"body": b'{"cash": 9}'}, "InvalidSignatureException"),
        ({"headers": {"client-request-token": "t2"}}, "InvalidSignatureException"),
        ({"headers": {"X-Amz-Security-Token": "other"}}, "InvalidSignatureException"),
    ],
)
def test_a_call_that_is_unsigned_or_was_changed_is_refused(gate: Running, change: dict[str, Any], kind: str):
    request = gate.signed("POST", "/tapedeck/live/v1/backtest", body=b'{"cash": 1}', client_request_token="t1")
    status, body, headers = gate.send(request, **change)
    assert (status, list(body), headers["x-amzn-ErrorType".title()]) == (403, ["message"], kind)
    assert gate.invoked == []


def test_unknown_keys_wrong_secrets_and_late_replays_are_refused(gate: Running, monkeypatch: pytest.MonkeyPatch):
    path = "/tapedeck/live/v1/backtest/1"
    stranger, guess = user(ACCOUNT, "mallory"), replace(gate.alice, secret_key="guess")
    kinds = [gate.send(gate.signed("GET", path, who=who))[2]["X-Amzn-Errortype"] for who in (stranger, guess)]
    late = gate.signed("GET", path)
    monkeypatch.setattr("infra.local.sigv4.SKEW", -1)
    status, _, headers = gate.send(late)
    assert [*kinds, headers["X-Amzn-Errortype"]] == [
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "RequestExpired",
    ]
    assert status == 403


def test_a_route_that_the_callers_policies_do_not_open_is_refused(gate: Running):
    status, body, _ = gate.send(gate.signed("GET", "/tapedeck/live/v2/hidden"))
    assert (status, gate.invoked) == (403, [])
    assert f"execute-api:Invoke on resource: {ARN}/live/GET/v2/hidden" in body["Message"]


def test_a_route_without_authorization_passes_its_headers_through(gate: Running):
    url = f"http://127.0.0.1:{gate.port}/internal/live/credentials"
    assert urllib3.request("GET", url, headers={"Authorization": "a.pods.token"}).status == 200
    ((function, event),) = gate.invoked
    assert (function, event["headers"]["Authorization"]) == ("credentials", "a.pods.token")
    assert event["requestContext"]["identity"]["user"] is None


def test_an_answers_status_headers_and_body_come_back(gate: Running):
    gate.answer = lambda _: {
        "statusCode": 201,
        "headers": {"Content-Type": "text/plain", "X-One": "1", "Connection": "close"},
        "multiValueHeaders": {"x-one": ["2", "3"]},
        "body": "é",
    }
    status, body, headers = gate.send(gate.signed("GET", "/tapedeck/live/v1/backtest/1"))
    assert (status, body, headers["X-One"]) == (201, "é".encode(), "2, 3")
    assert headers["X-Amzn-Requestid"]


def test_base64_is_decoded_for_who_accepts_a_binary_type_first(gate: Running):
    png = {"statusCode": 200, "headers": {"Content-Type": "image/png"}, "body": "iVBORw==", "isBase64Encoded": True}
    gate.answer = lambda _: png
    path = "/tapedeck/live/v1/backtest/1"
    assert gate.send(gate.signed("GET", path, accept="image/png"))[1] == b"\x89PNG"
    assert gate.send(gate.signed("GET", path, accept="*/*"))[1] == b"iVBORw=="


@pytest.mark.parametrize("answer", [None, "text", {}, {"statusCode": "x"}, {"statusCode": 200, "body": {"a": 1}}])
def test_an_answer_that_is_no_proxy_response_is_a_502(gate: Running, answer: Any):
    gate.answer = lambda _: answer
    assert gate.send(gate.signed("GET", "/tapedeck/live/v1/backtest/1"))[:2] == (
        502,
        {"message": "Internal server error"},
    )


def test_a_function_that_fails_is_a_502_and_one_that_takes_too_long_a_504(gate: Running):
    def failing(_: Any) -> Any:
        raise RuntimeError("secret detail")

    def slow(_: Any) -> Any:
        time.sleep(0.55)
        raise TimeoutError

    path = "/tapedeck/live/v1/backtest/1"
    gate.answer = failing
    assert gate.send(gate.signed("GET", path))[:2] == (502, {"message": "Internal server error"})
    gate.answer = slow
    assert gate.send(gate.signed("GET", path))[:2] == (504, {"message": "Endpoint request timed out"})


def test_a_body_over_10_mb_or_an_event_over_6_mb_is_refused_with_413(gate: Running):
    path, form = "/tapedeck/live/v1/backtest", "multipart/form-data; boundary=x"
    too_long = gate.signed("POST", path, body=b"x" * (10 * 1024 * 1024 + 1), content_type=form)
    assert gate.send(too_long)[:2] == (413, {"message": "Request Too Long"})
    too_much = gate.signed("POST", path, body=b"x" * 4_800_000, content_type=form)
    assert gate.send(too_much)[:2] == (413, {"message": "Request Too Long"})
    assert gate.invoked == []
    fits = gate.signed("POST", path, body=b"x" * 4_300_000, content_type=form)
    assert gate.send(fits)[0] == 200
