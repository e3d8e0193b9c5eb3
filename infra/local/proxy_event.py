"""API Gateway's Lambda proxy format (payload 1.0): a request as an event, an answer as a response."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl

from infra.local.iam import Principal
from infra.local.inbound import Inbound
from infra.local.refusals import Answer
from infra.local.wires import Method, RestApi

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "content-length"}
_WHO = ("accountId", "caller", "accessKey", "user", "userArn", "principalOrgId")
_COGNITO = ("IdentityPoolId", "IdentityId", "AuthenticationType", "AuthenticationProvider")
_UNKNOWN_IDENTITY = dict.fromkeys([*_WHO, *(f"cognito{name}" for name in _COGNITO)])


class MalformedAnswerError(ValueError):
    """A handler answered something that is no proxy response."""


@dataclass(frozen=True)
class Route:
    """A request's place in an API: the method that it meets, its path below the stage, the path's parameters."""

    api: RestApi
    method: Method
    path: str
    parameters: Mapping[str, str]


def proxy_event(request: Inbound, route: Route, caller: Principal | None) -> dict[str, Any]:
    """Return the event of a request; `caller` is None where the method asks for no signature."""
    query = _multi(parse_qsl(request.query, keep_blank_values=True))
    headers = {name.title(): [value] for name, value in request.headers.items()}
    if caller is not None:
        headers.pop("Authorization", None)  # as API Gateway does with a signature: no handler ever sees one
    binary = _matches(request.headers.get("content-type", ""), route.api.binary_media_types)
    body = base64.b64encode(request.body).decode() if binary else request.body.decode("utf-8", errors="replace")
    return {
        "resource": route.method.path,
        "path": route.path,
        "httpMethod": request.method,
        "headers": _last(headers),
        "multiValueHeaders": headers or None,
        "queryStringParameters": _last(query),
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(route.parameters) or None,
        "stageVariables": None,
        "requestContext": _context(request, route, caller),
        "body": body if request.body else None,
        "isBase64Encoded": binary and bool(request.body),
    }


def response(answer: Any, request: Inbound, binary_types: Sequence[str]) -> Answer:
    """Return status, headers and body of a handler's answer; raises MalformedAnswerError.

    As on AWS, a base64 body is decoded only where the first type that the client accepts is a binary one of the API.
    """
    if not isinstance(answer, dict) or not isinstance(answer.get("statusCode"), int | str):
        raise MalformedAnswerError("the answer has no statusCode")
    body = answer.get("body") or ""
    if not isinstance(body, str):
        raise MalformedAnswerError("the answer's body is no text")
    accepts = request.headers.get("accept", "").partition(",")[0]
    try:
        status = int(answer["statusCode"])
        raw = body.encode()
        if answer.get("isBase64Encoded") and _matches(accepts, binary_types):
            raw = base64.b64decode(body, validate=True)
    except (ValueError, binascii.Error) as wrong:
        raise MalformedAnswerError(str(wrong)) from wrong
    return status, _headers(answer), raw


def _headers(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the headers of both kinds; where a name is in both, the list counts."""
    lists = answer.get("multiValueHeaders") or {}
    taken = {name.lower() for name in lists}
    pairs = [(name, value) for name, values in lists.items() for value in values]
    pairs += [(n, v) for n, v in (answer.get("headers") or {}).items() if n.lower() not in taken]
    kept = [(name, str(value)) for name, value in pairs if name.lower() not in _HOP_BY_HOP]
    if not any(name.lower() == "content-type" for name, _ in kept):
        kept.append(("Content-Type", "application/json"))
    return kept


def _context(request: Inbound, route: Route, caller: Principal | None) -> dict[str, Any]:
    now = datetime.now(UTC)
    identity = {**_UNKNOWN_IDENTITY, "sourceIp": request.source_ip, "userAgent": request.headers.get("user-agent")}
    if caller is not None:
        identity |= {
            "accountId": caller.account,
            "caller": caller.user_id,
            "accessKey": caller.access_key,
            "user": caller.user_id,
            "userArn": caller.arn,
        }
    return {
        "accountId": caller.account if caller else None,
        "apiId": route.api.id,
        "domainName": f"{route.api.id}.execute-api.{route.api.region}.amazonaws.com",
        "domainPrefix": route.api.id,
        "extendedRequestId": uuid.uuid4().hex[:16],
        "httpMethod": request.method,
        "identity": identity,
        "path": f"/{route.api.stage}{route.path}",
        "protocol": "HTTP/1.1",
        "requestId": str(uuid.uuid4()),
        "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": int(now.timestamp() * 1000),
        "resourceId": route.method.path,
        "resourcePath": route.method.path,
        "stage": route.api.stage,
    }


def _matches(media_type: str, patterns: Sequence[str]) -> bool:
    plain = media_type.partition(";")[0].strip().lower()
    return any(fnmatchcase(plain, pattern.lower()) for pattern in patterns) if plain else False


def _multi(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    values: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        values[name].append(value)
    return dict(values)


def _last(values: Mapping[str, list[str]]) -> dict[str, str] | None:
    return {name: many[-1] for name, many in values.items()} or None
