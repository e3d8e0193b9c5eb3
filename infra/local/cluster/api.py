"""The API's routes: who asks is authenticated, what is asked for authorised, then done; errors are Status objects."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from infra.local.cluster import answers
from infra.local.cluster.answers import ApiError
from infra.local.cluster.authentication import Authenticator
from infra.local.cluster.jobs import Jobs
from infra.local.cluster.rbac import Ask, Document, allowed
from infra.local.cluster.tokens import Issuer

_RESOURCE = re.compile(
    r"/(?:apis/(?P<group>batch)/v1|api/v1)/namespaces/(?P<namespace>[^/]+)/(?P<resource>jobs|pods)"
    r"(?:/(?P<name>[^/]+)(?P<log>/log)?)?"
)
_SELECTOR = re.compile(r"([A-Za-z0-9./_-]+)==?([A-Za-z0-9._-]*)")
_VERBS = {"GET": "get", "POST": "create", "DELETE": "delete"}
Query = Mapping[str, str]


class Api:
    """Answers one request at a time for any number of threads."""

    def __init__(
        self, jobs: Jobs, issuer: Issuer, authenticator: Authenticator, manifests: tuple[Document, ...]
    ) -> None:
        self._jobs = jobs
        self._issuer = issuer
        self._authenticator = authenticator
        self._manifests = manifests

    def answer(self, method: str, target: str, authorization: str | None, body: bytes) -> tuple[int, Any]:
        """Return (status, JSON object or bytes of text); never raises for what a client sent."""
        try:
            url = urlsplit(target)
            path, query = unquote(url.path), dict(parse_qsl(url.query, keep_blank_values=True))
            user = self._authenticator.user(authorization)
            ask = parse(method, path)
            if not allowed(ask, user.name, user.groups, self._manifests):
                raise answers.forbidden(user.name, str(ask))
            return self._do(ask, query, body)
        except ApiError as error:
            return error.code, error.status()

    def _do(self, ask: Ask, query: Query, body: bytes) -> tuple[int, Any]:
        space, name, jobs = ask.namespace or "", ask.name or "", self._jobs
        routes: dict[tuple[str, str], Callable[[], object]] = {
            ("get", "/openid/v1/jwks"): self._issuer.jwks,
            ("get", "/.well-known/openid-configuration"): self._issuer.discovery,
            ("create", "jobs"): lambda: jobs.create(space, _decode(body)),
            ("get", "jobs"): lambda: jobs.job(space, name),
            ("list", "jobs"): lambda: _list("batch/v1", "JobList", jobs.jobs(space, selector(query))),
            ("delete", "jobs"): lambda: self._delete_job(space, name, query, body),
            ("get", "pods"): lambda: jobs.pod(space, name),
            ("list", "pods"): lambda: _list("v1", "PodList", jobs.pods(space, selector(query))),
            ("delete", "pods"): lambda: jobs.delete_pod(space, name),
            ("get", "pods/log"): lambda: cut(jobs.log(space, name, query.get("container")), query),
        }
        route = routes.get((ask.verb, ask.path or ask.resource))
        if route is None:
            raise ApiError(405, "MethodNotAllowed", f"{ask} is not supported")
        return 201 if ask.verb == "create" else 200, route()

    def _delete_job(self, space: str, name: str, query: Query, body: bytes) -> dict[str, Any]:
        options = _decode(body) if body else {}
        policy = query.get("propagationPolicy") or options.get("propagationPolicy", "Background")
        if policy not in ("Background", "Foreground"):
            raise answers.bad_request(f"propagationPolicy: {policy!r} is not supported")
        return self._jobs.delete(space, name)


def parse(method: str, path: str) -> Ask:
    """Return what a request asks for; raises `ApiError` 404 or 405."""
    if method not in _VERBS:
        raise ApiError(405, "MethodNotAllowed", f"{method} is not supported")
    if path in ("/openid/v1/jwks", "/.well-known/openid-configuration"):
        return Ask(verb=_VERBS[method], path=path)
    found = _RESOURCE.fullmatch(path)
    if not found or (found["group"] == "batch") != (found["resource"] == "jobs") or (found["log"] and found["group"]):
        raise ApiError(404, "NotFound", "the server could not find the requested resource")
    name = found["name"]
    verb = "list" if method == "GET" and name is None else _VERBS[method]
    if (verb in ("create", "list")) == (name is not None) or (found["log"] and verb != "get"):
        raise ApiError(405, "MethodNotAllowed", f"{method} {path} is not supported")
    resource = found["resource"] + (found["log"] or "")
    return Ask(verb=verb, group=found["group"] or "", resource=resource, namespace=found["namespace"], name=name)


def selector(query: Query) -> Callable[[Mapping[str, str]], bool]:
    """Return the test that `labelSelector` (equality only) stands for; raises `ApiError` 400."""
    wanted = {}
    for term in filter(None, query.get("labelSelector", "").split(",")):
        if not (found := _SELECTOR.fullmatch(term.strip())):
            raise answers.bad_request(f"labelSelector: only key=value is supported, not {term!r}")
        wanted[found[1]] = found[2]
    return lambda labels: all(labels.get(key) == value for key, value in wanted.items())


def cut(log: bytes, query: Query) -> bytes:
    """Return the part of a log that tailLines and limitBytes leave; raises `ApiError` 400."""
    try:
        if "tailLines" in query:
            lines = log.splitlines(keepends=True)
            log = b"".join(lines[max(0, len(lines) - int(query["tailLines"])) :])
        if "limitBytes" in query:
            log = log[: int(query["limitBytes"])]
    except ValueError as error:
        raise answers.bad_request(str(error)) from error
    return log


def _decode(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise answers.bad_request(f"the body is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise answers.bad_request("the body is no object")
    return value


def _list(version: str, kind: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {}, "items": items}
