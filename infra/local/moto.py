"""moto behind the front door: requests go in as WSGI calls, the door's own questions too."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import unquote

from infra.local.inbound import Environ
from infra.local.refusals import Answer


class StartResponse(Protocol):
    """The callable by which a WSGI application starts its answer."""

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> object:
        """Take status and headers."""


WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]


class Moto:
    """moto's WSGI application; it takes the service from the Authorization header and trusts its caller."""

    def __init__(self, app: WsgiApp, region: str) -> None:
        self._app, self._region = app, region

    def call(self, environ: Environ) -> Answer:
        """Answer a request whose environment is complete."""
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> None:
            started[:] = [(status, headers)]

        chunks = self._app(environ, start)
        try:
            body = _joined(list(chunks))
        finally:
            if close := getattr(chunks, "close", None):
                close()
        status, headers = started[0]
        return int(status.split(" ", 1)[0]), headers, body

    def ask(
        self, service: str, method: str, path: str, query: str = "", *, target: str = "", body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Ask a question of the platform's own, for which nobody is authorised; `path` is percent-encoded.

        Gives status, headers (names in lower case) and body; `target` names the operation of a JSON service.
        """
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "latin-1"),
            "RAW_URI": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_AUTHORIZATION": authorization("-", "-", self._region, service),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
        }
        if target:
            environ |= {"HTTP_X_AMZ_TARGET": target, "CONTENT_TYPE": "application/x-amz-json-1.1"}
        status, headers, answer = self.call(environ)
        return status, {name.lower(): value for name, value in headers}, answer


def authorization(key: str, day: str, region: str, service: str) -> str:
    """Return the header from which moto takes the service; its signature was verified by the front door."""
    scope = f"{key}/{day}/{region}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=verified"


def _joined(chunks: Sequence[bytes]) -> bytes:
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
