"""The daemon's HTTP: `POST /v1/held` and `POST /v1/years` for sidecars, `GET /metrics` for operators."""

from __future__ import annotations

import json
import sys
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from threading import BoundedSemaphore
from typing import Any

from cache.ask import BODY_BYTES, AskError, parse_bring, parse_held
from cache.counts import Counts
from cache.node import Node
from cache.tiers import Tiers

CONNECTIONS = 128
_IDLE_S = 60.0


class Server(ThreadingHTTPServer):
    """Serves one node's cache; more than `CONNECTIONS` at once are turned away."""

    daemon_threads = True
    request_queue_size = CONNECTIONS

    def __init__(self, address: tuple[str, int], node: Node, tiers: Tiers, counts: Counts) -> None:
        self.node, self.tiers, self.counts = node, tiers, counts
        self._free = BoundedSemaphore(CONNECTIONS)
        super().__init__(address, Handler)

    def process_request(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Serve a connection on a thread of its own, if one is free."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.counts.add(refused=1)
            self.shutdown_request(request)

    def process_request_thread(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Count a connection that broke; its thread ends and nothing else. What is no network's fault is logged."""
        self.counts.add(refused=1)
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            traceback.print_exc()

    def metrics(self) -> dict[str, int]:
        """Return the counts since the start, and what is held now."""
        tiers = self.tiers
        return {
            **self.counts.told(),
            "encoded_files": len(tiers.encoded),
            "encoded_bytes": tiers.encoded.held,
            "decoded_files": len(tiers.decoded),
            "decoded_bytes": tiers.decoded.held,
            "limit_bytes": tiers.limit(),
        }


class Handler(BaseHTTPRequestHandler):
    """One connection; a request that is not a sidecar's ends it."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "tapedeck-cache", ""
    timeout = _IDLE_S
    server: Server

    def do_GET(self) -> None:
        """Answer with the metrics."""
        if self.path == "/metrics":
            self._answer(200, self.server.metrics())
        else:
            self._refuse(404, "no such path")

    def do_POST(self) -> None:
        """Answer which of the files asked for are there: one boolean each, in their order."""
        length = self.headers.get("Content-Length", "")
        if self.path not in ("/v1/held", "/v1/years"):
            self._refuse(404, "no such path")
        elif not (length.isascii() and length.isdigit()) or int(length) > BODY_BYTES:
            self._refuse(413, f"a body of at most {BODY_BYTES} bytes with its length is expected")
        else:
            body, node = self.rfile.read(int(length)), self.server.node
            try:
                held = node.held(parse_held(body)) if self.path == "/v1/held" else node.bring(parse_bring(body))
            except AskError as error:
                self._refuse(400, str(error))
            else:
                self._answer(200, {"held": held})

    def log_message(self, format: str, *args: object) -> None:
        """Log no single request: the counts say what is to be said."""

    def _refuse(self, status: int, why: str) -> None:
        self.server.counts.add(refused=1)
        self.close_connection = True
        self._answer(status, {"error": why})

    def _answer(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
