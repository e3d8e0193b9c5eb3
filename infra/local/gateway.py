"""The local API Gateway: the template's REST APIs under http://127.0.0.1:{port}/{api name}/{stage}{path}.

It verifies signatures over the request as it came, asks the caller's policies for execute-api:Invoke, and hands the
Lambda proxy event to the route's function. Its errors are API Gateway's own.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from infra.local.front_door import Call, status_line
from infra.local.iam import Principal, evaluate
from infra.local.inbound import Environ, Inbound, MalformedRequestError
from infra.local.moto import StartResponse
from infra.local.proxy_event import MalformedAnswerError, Route, proxy_event, response
from infra.local.refusals import Answer, refusal
from infra.local.sigv4 import Fault, RefusedError, verify
from infra.local.wires import Method, RestApi

REQUEST_LIMIT = 10 * 1024 * 1024  # bytes of a request's body
EVENT_LIMIT = 6 * 1024 * 1024  # bytes of what a function is invoked with, base64 included
TIMEOUT = 29.0  # seconds that a function may take
SERVICE = "execute-api"
Invoke = Callable[[str, dict[str, Any], float], Any]
"""Runs a function (name, event, seconds at most) and returns its answer; raises whatever its failure is."""
_log = logging.getLogger(__name__)


class Gateway:
    """A WSGI application; `record` hears of every authorisation."""

    def __init__(
        self,
        apis: Sequence[RestApi],
        lookup: Callable[[str], Principal | None],
        invoke: Invoke,
        *,
        record: Callable[[Call], None] = lambda _: None,
        account: str = "123456789012",
        timeout_s: float = TIMEOUT,
    ) -> None:
        self._apis = {(api.name, api.stage): api for api in apis}
        self._lookup, self._invoke, self._record = lookup, invoke, record
        self._account, self._timeout_s = account, timeout_s

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            status, headers, body = self._answer(environ)
        except MalformedRequestError:
            status, headers, body = _error(400, "Bad Request")
        start_response(status_line(status), [*headers, ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, environ: Environ) -> Answer:
        if int(environ.get("CONTENT_LENGTH") or 0) > REQUEST_LIMIT:
            return _error(413, "Request Too Long")
        request = Inbound.read(environ)
        name, _, below = request.path[1:].partition("/")
        stage, _, path = below.partition("/")
        api = self._apis.get((unquote(name), stage))
        if api is None:
            return _error(403, "Forbidden")
        try:
            route = _route(api, request.method, path)
            caller = self._authorised(request, route) if route.method.authorization == "AWS_IAM" else None
        except RefusedError as refused:
            refused.service = SERVICE
            return refusal(request, refused)
        return self._invoked(request, route, caller)

    def _authorised(self, request: Inbound, route: Route) -> Principal:
        """Return who signed the request, if he may invoke the route; raises RefusedError."""
        api = route.api
        who = verify(request, self._lookup, region=api.region, service=SERVICE).principal
        place = f"arn:aws:{SERVICE}:{api.region}:{self._account}:{api.id}"
        resource = f"{place}/{api.stage}/{request.method}{unquote(route.path)}"
        context = {"aws:SourceIp": request.source_ip}
        decision = evaluate(who, f"{SERVICE}:Invoke", resource, context)
        self._record(Call(who.arn, who.role_arn, f"{SERVICE}:Invoke", resource, decision.allowed, context))
        if not decision.allowed:
            message = f"User: {who.arn} is not authorized to perform: {SERVICE}:Invoke on resource: {resource}"
            raise RefusedError(Fault.DENIED, f"{message} because {decision.reason}")
        return who

    def _invoked(self, request: Inbound, route: Route, caller: Principal | None) -> Answer:
        event = proxy_event(request, route, caller)
        if len(json.dumps(event)) > EVENT_LIMIT:
            return _error(413, "Request Too Long")
        ids = [("x-amzn-RequestId", event["requestContext"]["requestId"])]
        begun = time.monotonic()
        try:
            answer = self._invoke(route.method.function, event, self._timeout_s)
            status, headers, body = response(answer, request, route.api.binary_media_types)
        except MalformedAnswerError as wrong:
            _log.error("%s: %s", route.method.function, wrong)
            status, headers, body = _error(502, "Internal server error")
        except Exception:  # noqa: BLE001 - whatever a function fails with, its caller learns no more than this
            _log.exception("%s failed", route.method.function)
            late = time.monotonic() - begun >= self._timeout_s
            status, headers, body = (
                _error(504, "Endpoint request timed out") if late else _error(502, "Internal server error")
            )
        return status, headers + ids, body


def _route(api: RestApi, method: str, path: str) -> Route:
    """Return the route of a path; a fixed segment beats a parameter, which beats {proxy+}. Raises RefusedError."""
    segments = [unquote(segment) for segment in path.split("/")]
    found: list[tuple[list[int], Method, Mapping[str, str]]] = []
    for candidate in api.methods:
        wanted = candidate.path.strip("/").split("/")
        parameters = _parameters(wanted, segments)
        if candidate.http_method in (method, "ANY") and parameters is not None:
            rank = [0 if not s.startswith("{") else 2 if s.endswith("+}") else 1 for s in wanted]
            found.append((rank, candidate, parameters))
    if not found:
        raise RefusedError(Fault.MISSING, "there is no such route", SERVICE)
    _, best, values = min(found, key=lambda item: (item[0], item[1].http_method == "ANY"))
    return Route(api, best, f"/{path}", values)


def _parameters(wanted: Sequence[str], path: Sequence[str]) -> dict[str, str] | None:
    """Return the values of a route's parameters, or None when the path is not the route's."""
    values: dict[str, str] = {}
    for at, segment in enumerate(wanted):
        if segment.startswith("{") and segment.endswith("+}"):
            return {**values, segment[1:-2]: "/".join(path[at:])} if path[at:] else None
        if at >= len(path) or (segment.startswith("{") and not path[at]):
            return None
        if segment.startswith("{"):
            values[segment[1:-1]] = path[at]
        elif segment != path[at]:
            return None
    return values if len(wanted) == len(path) else None


def _error(status: int, message: str) -> Answer:
    return status, [("Content-Type", "application/json")], json.dumps({"message": message}).encode()
