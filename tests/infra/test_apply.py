"""The function that applies manifests, against a server that keeps what it is told."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from infra.k8s import apply

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "backtests"}}
ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "sidecar", "namespace": "backtests"}}
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "metadata": {"name": "r", "namespace": "backtests"},
}


class Api:
    """Holds objects by path; refuses `strangers` times with 401, and paths that hold "forbidden" with 422."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.calls: list[tuple[str, str]] = []
        self.tokens: list[str] = []
        self.strangers = 0

    def answer(self, method: str, target: str, token: str, body: bytes) -> int:
        path, _, query = target.partition("?")
        self.calls.append((method, path))
        self.tokens.append(token)
        if self.strangers:
            self.strangers -= 1
            return 401
        if "forbidden" in path:
            return 422
        if method == "DELETE":
            return 200 if self.objects.pop(path, None) else 404
        assert query == "fieldManager=tapedeck&force=true"
        self.objects[path] = json.loads(body)
        return 200


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    served = Api()

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status = served.answer(self.command, self.path, self.headers["Authorization"], body)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_PATCH = do_DELETE = do  # noqa: N815  the server calls these names

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("CLUSTER_NAME", "tapedeck")
    monkeypatch.setenv("CLUSTER_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("CLUSTER_CA", "")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(apply, "_PAUSE_S", 0)
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


def event(kind: str, documents: list[Any], before: list[Any] | None = None) -> dict[str, Any]:
    said = {
        "RequestType": kind,
        "LogicalResourceId": "Access",
        "ResourceProperties": {"Manifest": json.dumps(documents)},
    }
    return said if before is None else {**said, "OldResourceProperties": {"Manifest": json.dumps(before)}}


def test_documents_are_applied_in_order_and_deleted_backwards(api: Api) -> None:
    assert apply.handler(event("Create", [NAMESPACE, ACCOUNT]), None) == {"PhysicalResourceId": "Access"}
    assert list(api.objects.values()) == [NAMESPACE, ACCOUNT]
    apply.handler(event("Delete", [NAMESPACE, ACCOUNT]), None)
    assert api.objects == {}
    assert [p.rpartition("/")[2] for m, p in api.calls if m == "DELETE"] == ["sidecar", "backtests"]


def test_an_update_deletes_what_is_no_longer_listed(api: Api) -> None:
    apply.handler(event("Create", [NAMESPACE, ACCOUNT]), None)
    apply.handler(event("Update", [NAMESPACE, ROLE], before=[NAMESPACE, ACCOUNT]), None)
    assert list(api.objects.values()) == [NAMESPACE, ROLE]


def test_deleting_what_is_gone_already_is_fine(api: Api) -> None:
    apply.handler(event("Delete", [NAMESPACE]), None)
    assert api.calls == [("DELETE", "/api/v1/namespaces/backtests")]


def test_an_access_entry_that_is_not_known_yet_is_waited_for(api: Api) -> None:
    api.strangers = 3
    apply.handler(event("Create", [NAMESPACE]), None)
    assert len(api.calls) == 4
    assert list(api.objects.values()) == [NAMESPACE]


def test_a_refusal_is_said_in_the_clusters_words_and_ends_the_deployment(api: Api) -> None:
    document = {**NAMESPACE, "metadata": {"name": "forbidden"}}
    with pytest.raises(apply.ApplyError, match=r"PATCH /api/v1/namespaces/forbidden.*: 422"):
        apply.handler(event("Create", [document]), None)
    assert len(api.calls) == 1


def test_the_token_is_a_presigned_call_to_sts_bound_to_the_cluster(api: Api) -> None:
    apply.handler(event("Create", [NAMESPACE]), None)
    (header,) = api.tokens
    token = header.removeprefix("Bearer k8s-aws-v1.")
    url = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    assert url.startswith("https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15")
    assert "X-Amz-SignedHeaders=host%3Bx-k8s-aws-id" in url
    assert "X-Amz-Expires=60" in url
