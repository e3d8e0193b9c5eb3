"""A report's files come to disk as they are, however large, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import urllib3.exceptions
from botocore.credentials import Credentials

from tapedeck.client import ApiError, Client

BODY = bytes(range(256)) * 20_000


class Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[: 1000 if self.path == "/cut" else None])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Files) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def download(monkeypatch: pytest.MonkeyPatch, folder: Path, url: str) -> list[Path]:
    client = Client("http://nowhere", Credentials("key", "secret"))
    monkeypatch.setattr(client, "report", lambda _: {"files": {"trades.csv": url}})
    return client.download("job", folder)


def test_a_file_is_stored_as_it_is(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (path,) = download(monkeypatch, tmp_path / "report", f"{server}/whole")
    assert path.read_bytes() == BODY
    assert [p.name for p in path.parent.iterdir()] == ["trades.csv"]


@pytest.mark.parametrize(("name", "error"), [("none", ApiError), ("cut", urllib3.exceptions.ProtocolError)])
def test_what_does_not_come_whole_leaves_no_file(
    name: str, error: type[Exception], server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(error):
        download(monkeypatch, tmp_path, f"{server}/{name}")
    assert list(tmp_path.iterdir()) == []
