"""The API's handler, called as the gateway calls it."""

from __future__ import annotations

import base64
import json
from typing import Any

from functions import api
from tests.component.deployment import ACCOUNT, STRATEGY
from tests.component.handlers import CONTEXT

BOUNDARY = "xYzZY"


def call(method: str, path: str, **how: Any) -> tuple[int, Any]:
    """Call the handler as the gateway does; return status and JSON."""
    answer = raw(method, path, **how)
    return answer["statusCode"], json.loads(answer["body"])


def raw(
    method: str,
    path: str,
    *,
    user: str = "alice",
    role: str = "Researcher",
    body: bytes = b"",
    query: dict[str, str] | None = None,
    **headers: str,
) -> dict[str, Any]:
    """Call the handler as the gateway does; return what it answers the gateway."""
    event = {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": {k.replace("_", "-"): v for k, v in headers.items()},
        "queryStringParameters": query,
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
        "requestContext": {
            "stage": "v1",
            "identity": {
                "user": f"AROA{role.upper()}:{user}",
                "userArn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{user}",
            },
        },
    }
    answer: dict[str, Any] = api.handler(event, CONTEXT)
    return answer


def form(code: bytes | None = STRATEGY, params: object = None, name: str = "crossover.py") -> bytes:
    """Return the body of a submission: a form with the code and its parameters."""
    parts = []
    if code is not None:
        head = f'Content-Disposition: form-data; name="code"; filename="{name}"\r\nContent-Type: text/x-python'
        parts.append(head.encode() + b"\r\n\r\n" + code)
    if params is not None:
        said = params if isinstance(params, bytes) else json.dumps(params).encode()
        parts.append(b'Content-Disposition: form-data; name="params"\r\n\r\n' + said)
    edge = f"--{BOUNDARY}\r\n".encode()
    return b"".join(edge + p + b"\r\n" for p in parts) + f"--{BOUNDARY}--\r\n".encode()


def post(code: bytes | None = STRATEGY, params: object = None, name: str = "crossover.py", **how: Any) -> Any:
    """Submit a strategy; return status and JSON."""
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return call("POST", "/v1/backtest", body=form(code, params, name), **{"Content_Type": kind, **how})
