"""The HTTPS face of the API."""

from __future__ import annotations

import json
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from infra.local.cluster.answers import ApiError
from infra.local.cluster.api import Api

_MAX_BODY = 1 << 20


def serve(api: Api, host: str, port: int, certificate: Path, key: Path) -> ThreadingHTTPServer:
    """Return a listening HTTPS server; its `serve_forever` is the caller's to run."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def setup(self) -> None:
            self.request.settimeout(10)
            self.request.do_handshake()  # here, in the connection's own thread: a silent client blocks nobody
            super().setup()

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if length > _MAX_BODY:
                self.close_connection = True
                too_large = ApiError(413, "RequestEntityTooLarge", f"the body exceeds {_MAX_BODY} bytes")
                return self._send(413, too_large.status())
            body = self.rfile.read(length)
            return self._send(*api.answer(self.command, self.path, self.headers.get("Authorization"), body))

        do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = handle_any  # noqa: N815  http.server's names

        def _send(self, status: int, value: object) -> None:
            text = isinstance(value, bytes)
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if text else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing: the callers log their own requests."""

    return _Server((host, port), Handler, certificate, key)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: Any, certificate: Path, key: Path) -> None:
        super().__init__(address, handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: object, client_address: object) -> None:
        """Drop a connection that broke off: its client knows."""
