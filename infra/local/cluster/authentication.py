"""Who is asking: an EKS bearer token is a presigned STS call, which STS itself answers with the caller's ARN."""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import urllib3

from infra.local.cluster.answers import ApiError, unauthorized

PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
_CACHE_S = 50.0  # below the 60 s that a token is signed for
_ARN = re.compile(r"<Arn>(arn:aws:[^<\s]+)</Arn>")
_SESSION = re.compile(r"arn:aws:sts::([0-9]{12}):assumed-role/([^/]+)/([^/]+)")
_ROLE = re.compile(r"arn:aws:iam::([0-9]{12}):role/(?:.*/)?([^/]+)")


@dataclass(frozen=True)
class User:
    """The caller: its STS ARN, and the Kubernetes groups that its access entry gives it."""

    name: str
    groups: tuple[str, ...]


class Authenticator:
    """Verifies tokens against `sts_endpoint` and maps roles to groups by the cluster's access entries."""

    def __init__(self, sts_endpoint: str, cluster_name: str, access: Mapping[str, Sequence[str]]) -> None:
        self._endpoint = sts_endpoint.rstrip("/")
        self._cluster_name = cluster_name
        self._access = access
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(10), retries=False)
        self._known: dict[str, tuple[float, User]] = {}
        self._lock = threading.Lock()

    def user(self, authorization: str | None) -> User:
        """Return who sent this Authorization header; raises `ApiError` 401."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.startswith(PREFIX):
            raise unauthorized(f"a bearer token {PREFIX}... is required")
        now = time.monotonic()
        with self._lock:
            self._known = {key: entry for key, entry in self._known.items() if entry[0] > now}
            if token in self._known:
                return self._known[token][1]
        user = self._entry(self._caller(presigned_query(token)))
        with self._lock:
            self._known[token] = (now + _CACHE_S, user)
        return user

    def _caller(self, presigned: tuple[str, str]) -> str:
        host, query = presigned
        headers = {"Host": host, CLUSTER_HEADER: self._cluster_name}
        try:
            answer = self._http.request("GET", f"{self._endpoint}/?{query}", headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise ApiError(503, "ServiceUnavailable", f"STS does not answer: {error}") from error
        found = _ARN.search(answer.data.decode("utf-8", "replace"))
        if answer.status != 200 or not found:
            raise unauthorized("STS refused the token")
        return found[1]

    def _entry(self, arn: str) -> User:
        session = _SESSION.fullmatch(arn)
        for role, groups in self._access.items():
            named = _ROLE.fullmatch(role)
            if role == arn or (session and named and session.groups()[:2] == named.groups()):
                return User(arn, (*groups, "system:authenticated"))
        raise unauthorized(f"no access entry for {arn}")


def presigned_query(token: str) -> tuple[str, str]:
    """Return (host, query) of the presigned GetCallerIdentity call in `token`; raises `ApiError` 401 for another."""
    body = token.removeprefix(PREFIX)
    try:
        url = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode("ascii")
        parts = urlsplit(url)
        fields = parse_qs(parts.query, strict_parsing=True, keep_blank_values=True)
    except ValueError as error:
        raise unauthorized("the token is no presigned URL") from error
    lowered = {name.lower(): values for name, values in fields.items()}
    signed = lowered.get("x-amz-signedheaders", [""])[0].lower().split(";")
    if len(lowered) != len(fields) or any(len(values) != 1 for values in fields.values()):
        raise unauthorized("a parameter stands twice")
    if parts.path not in ("", "/") or lowered.get("action") != ["GetCallerIdentity"]:
        raise unauthorized("the token is no GetCallerIdentity call")
    if CLUSTER_HEADER not in signed or "host" not in signed:
        raise unauthorized(f"{CLUSTER_HEADER} is not signed")
    return parts.netloc, parts.query
