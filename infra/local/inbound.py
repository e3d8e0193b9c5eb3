"""An HTTP request as it came over the wire: what signatures are computed over."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

Environ = dict[str, Any]


class MalformedRequestError(ValueError):
    """A request line that no AWS client sends."""


@dataclass(frozen=True)
class Inbound:
    """One request: `path` and `query` still encoded, header names in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    source_ip: str

    @classmethod
    def read(cls, environ: Environ) -> Inbound:
        """Take the request out of a WSGI environment with `REQUEST_URI`, consuming its body."""
        path, _, query = str(environ["REQUEST_URI"]).partition("?")
        if not path.startswith("/") or path.startswith("//") or "#" in path + query:
            raise MalformedRequestError("the request line is not an origin-form path")
        return cls(
            environ["REQUEST_METHOD"],
            path,
            query,
            _headers(environ),
            environ["wsgi.input"].read(),
            environ["REMOTE_ADDR"],
        )

    @cached_property
    def decoded_path(self) -> str:
        """The path with its percent escapes decoded once."""
        return unquote(self.path)

    @cached_property
    def parameters(self) -> list[tuple[str, str]]:
        """The query's parameters in order, decoded; a name without a value has an empty one."""
        return parse_qsl(self.query, keep_blank_values=True)


def _headers(environ: Environ) -> dict[str, str]:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    return headers
