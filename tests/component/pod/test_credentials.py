"""The sidecar's AWS identity: asked of the endpoint that the Job names, with the token that only it mounts."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import boto3
import pytest

from sidecar import __main__ as sidecar
from sidecar.settings import Settings

SETTINGS = Settings("job", 1, "digest", 60, "runs", "market", "us-east-1", "runsc ptrace")


class _Endpoint(BaseHTTPRequestHandler):
    refusals = 0
    seen: list[str | None] = []  # noqa: RUF012 - each test makes its own

    def do_GET(self) -> None:
        self.seen.append(self.headers["Authorization"])
        refused = len(self.seen) <= self.refusals
        expires = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = {"AccessKeyId": "AKIA", "SecretAccessKey": "s", "Token": "t", "Expiration": expires}
        answer = b"{}" if refused else json.dumps(body).encode()
        self.send_response(503 if refused else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Endpoint]]:
    handler = type("Handler", (_Endpoint,), {"seen": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    (tmp_path / "token").write_text("projected")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{server.server_port}/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setattr(sidecar, "_CREDENTIAL_PAUSE_S", 0.0)
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_projected_token_is_shown_and_the_credentials_can_be_refreshed(endpoint: type[_Endpoint]) -> None:
    client = sidecar.connect(SETTINGS, boto3.Session())
    assert endpoint.seen == ["projected"]
    credentials = client._request_signer._credentials
    assert credentials.access_key == "AKIA" and credentials.refresh_needed(3600 * 2)
    client.close()


def test_an_endpoint_that_starts_cold_is_asked_again(endpoint: type[_Endpoint]) -> None:
    endpoint.refusals = 3  # as many as boto3 tries by itself
    sidecar.connect(SETTINGS, boto3.Session()).close()
    assert len(endpoint.seen) == 4
