"""The HTTPS face of the API."""

from __future__ import annotations

import json
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from infra.local.cluster.answers import ApiError
from infra.local.cluster.api import Api

_MAX_BODY = 1 << 20
_HANDSHAKE_S = 10


class ApiServer(ThreadingHTTPServer):
    """Listens when made; `api` must be set before it serves."""

    daemon_threads = True
    api: Api

    def __init__(self, address: tuple[str, int], certificate: Path, key: Path) -> None:
        super().__init__(address, _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: object, client_address: object) -> None:
        """Drop a connection that broke off: its client knows."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    server: ApiServer

    def setup(self) -> None:
        self.request.settimeout(_HANDSHAKE_S)
        self.request.do_handshake()  # here, in the connection's own thread: a silent client blocks nobody
        super().setup()

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= _MAX_BODY:
            self.close_connection = True
            error = ApiError(413, "RequestEntityTooLarge", f"the body exceeds {_MAX_BODY} bytes")
            return self._send(error.code, error.status())
        body, authorization = self.rfile.read(length), self.headers.get("Authorization")
        return self._send(*self.server.api.answer(self.command, self.path, authorization, body))

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = handle_any  # noqa: N815  http.server's names

    def _send(self, status: int, value: object) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(value, bytes) else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing: the callers log their own requests."""
