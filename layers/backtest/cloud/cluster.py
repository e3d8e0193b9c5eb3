"""The Kubernetes API, as much of it as the platform uses, over plain HTTPS."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import urllib3

from backtest import layout
from backtest.cloud.token import cluster_token
from backtest.errors import PlatformError
from backtest.settings import Settings

OURS = "app.kubernetes.io/name=backtest"
ATTEMPTS = urllib3.Retry(total=2, backoff_factor=0.2, allowed_methods=["GET"], status_forcelist=[502, 503, 504])
Json = dict[str, Any]


class Cluster:
    """One namespace of one cluster; every method raises `PlatformError` when the API does not do as asked."""

    def __init__(self, *, endpoint: str, ca: str, namespace: str, token: Callable[[], str]) -> None:
        trust = ssl.create_default_context(cadata=base64.b64decode(ca).decode())
        self._http = urllib3.PoolManager(ssl_context=trust, timeout=urllib3.Timeout(connect=3, read=10))
        self._endpoint = endpoint.rstrip("/")
        self._jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._token = token

    def create_job(self, manifest: Mapping[str, Any]) -> bool:
        """Create a Job; False when it is already there."""
        return self._ask("POST", self._jobs, body=manifest, fine=(409,)) is not None

    def delete_job(self, name: str) -> bool:
        """Delete a Job and, in the background, its pod; False when there is none."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        return self._ask("DELETE", f"{self._jobs}/{name}", body=options, fine=(404,)) is not None

    def jobs(self) -> list[Json]:
        """Return the platform's Jobs."""
        return self._list(self._jobs, OURS)

    def pods(self, job: str, attempt: int) -> list[Json]:
        """Return the pods of an attempt."""
        return self._list(self._pods, f"tapedeck/job={job},tapedeck/attempt={attempt}")

    def signing_keys(self) -> Json:
        """Return the public keys (JWKS) of the cluster's service-account tokens."""
        keys = self._ask("GET", "/openid/v1/jwks")
        assert keys is not None
        return keys

    def _list(self, path: str, selector: str) -> list[Json]:
        items: list[Json] = []
        query = {"labelSelector": selector, "limit": "500"}
        while True:
            page = self._ask("GET", f"{path}?{urlencode(query)}")
            assert page is not None
            items += page["items"]
            if not (more := page["metadata"].get("continue")):
                return items
            query["continue"] = more

    def _ask(
        self, method: str, path: str, *, body: Mapping[str, Any] | None = None, fine: tuple[int, ...] = ()
    ) -> Json | None:
        """Return the API's answer, None for a status that is `fine`."""
        headers = {"Authorization": f"Bearer {self._token()}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        sent = json.dumps(body).encode() if body is not None else None
        try:
            answer = self._http.request(method, self._endpoint + path, body=sent, headers=headers, retries=ATTEMPTS)
        except urllib3.exceptions.HTTPError as e:
            raise PlatformError(f"the cluster does not answer: {e}") from e
        if answer.status in fine:
            return None
        if not 200 <= answer.status < 300:
            said = answer.data[:500].decode("utf-8", "replace")
            raise PlatformError(f"{method} {path}: the cluster answers {answer.status}: {said}")
        try:
            found: Json = json.loads(answer.data)
        except ValueError as e:
            raise PlatformError(f"{method} {path}: the cluster answers no JSON") from e
        return found


def cluster_of(settings: Settings) -> Cluster:
    """Return the cluster of a deployment, asked in this function's own name."""
    return Cluster(
        endpoint=settings.cluster_endpoint,
        ca=settings.cluster_ca,
        namespace=settings.cluster_namespace,
        token=lambda: cluster_token(settings.cluster_name, settings.aws_region),
    )


def attempt_of(item: Mapping[str, Any]) -> layout.AttemptKey | None:
    """Return the attempt that a Job or pod is for, or None when its name is none of ours."""
    return layout.parse_pod(item["metadata"]["name"])
