"""The process that runs one Lambda function: a bare interpreter on the assembly's bytes.

Started by `workers` as a script (python -I -S): nothing of this checkout or of its virtual environment can be imported,
only the function's asset, its layers and the standard library. So this file imports the standard library only.

Speaks over one socket, whose descriptor is the first argument: a length (4 bytes, big-endian), then JSON. The second
argument is a JSON object: `paths` to import from, `handler`, `name`, `arn`, `memory_mb`.
"""

from __future__ import annotations

import importlib
import json
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Handler = Callable[[Any, "Context"], Any]


@dataclass
class Context:
    """The second argument of a handler."""

    function_name: str
    invoked_function_arn: str
    memory_limit_in_mb: int
    aws_request_id: str
    deadline: float
    function_version: str = "$LATEST"
    log_group_name: str = field(init=False)
    log_stream_name: str = "local"
    identity: None = None
    client_context: None = None

    def __post_init__(self) -> None:
        self.log_group_name = f"/aws/lambda/{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left until the process is killed, in milliseconds."""
        return max(0, int((self.deadline - time.time()) * 1000))


def send(connection: socket.socket, message: object) -> None:
    """Write one message."""
    body = json.dumps(message).encode()
    connection.sendall(len(body).to_bytes(4, "big") + body)


def receive(connection: socket.socket) -> Any:
    """Read one message; None when the other side is gone."""
    head = _read(connection, 4)
    body = _read(connection, int.from_bytes(head, "big")) if head else None
    return None if body is None else json.loads(body)


def _read(connection: socket.socket, size: int) -> bytes | None:
    body = bytearray()
    while len(body) < size:
        part = connection.recv(min(size - len(body), 1 << 20))
        if not part:
            return None
        body += part
    return bytes(body)


def load(handler: str) -> Handler:
    """Import the function called "package.module.name"."""
    module, _, name = handler.rpartition(".")
    found: Handler = getattr(importlib.import_module(module), name)
    return found


def failure(error: BaseException) -> dict[str, Any]:
    """Describe an error as Lambda does."""
    stack = traceback.format_exception(error)
    print("".join(stack), file=sys.stderr, flush=True)
    return {"errorType": type(error).__name__, "errorMessage": str(error), "stackTrace": stack}


def module_files() -> dict[str, str]:
    """Return where every module that is loaded came from."""
    loaded = ((name, getattr(module, "__file__", None)) for name, module in sys.modules.items())
    return {name: file for name, file in loaded if file and file != __file__}


def call(handler: Handler, event: Any, context: Context) -> dict[str, Any]:
    """Run one invocation; the answer holds "result" or "error"."""
    print(f"START RequestId: {context.aws_request_id}", flush=True)
    started = time.perf_counter()
    try:
        result = handler(event, context)
        json.dumps(result)
        answer: dict[str, Any] = {"result": result}
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is the invocation's failure
        answer = {"error": failure(error)}
    print(f"END RequestId: {context.aws_request_id} {1000 * (time.perf_counter() - started):.0f} ms", flush=True)
    return answer


def main(descriptor: str, settings: str) -> None:
    """Answer requests until the other side is gone."""
    function = json.loads(settings)
    sys.path[:0] = function["paths"]
    connection = socket.socket(fileno=int(descriptor))
    try:
        handler = load(function["handler"])
    except Exception as error:  # noqa: BLE001 - a module may raise anything at import
        send(connection, {"error": failure(error)})
        return
    send(connection, {"result": "ready"})
    for request in iter(lambda: receive(connection), None):
        if "modules" in request:
            send(connection, {"result": module_files()})
            continue
        context = Context(
            function["name"], function["arn"], function["memory_mb"], request["id"], request["deadline"]
        )  # fmt: skip
        send(connection, call(handler, request["event"], context))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
