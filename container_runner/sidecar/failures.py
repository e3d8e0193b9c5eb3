"""Why a run ends without a result, and how the strategy's own claim of it is read."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from typing import Any, get_args, get_type_hints

import contract
import run_objects
from sidecar.text import plain

_MESSAGE_CHARS = 2_000
_FILE_CHARS = 255
_TRACEBACK_CHARS = 20_000
_MAX_LINE = 10_000_000
_CLAIMED = get_args(get_type_hints(contract.Failure)["kind"])
# The last words of a process that had no memory left to say it in `failure.json`: Python's, and C++'s before it aborts.
_NO_MEMORY = ("MemoryError", "what():  std::bad_alloc")


class RunError(Exception):
    """The run has failed; kind and message are what its owner is told."""

    def __init__(
        self,
        kind: run_objects.FailureKind,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        cell: int | None = None,
        traceback: str | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.file = file
        self.line = line
        self.cell = cell
        self.traceback = traceback

    def as_failure(self, last_lines: Sequence[str] = ()) -> run_objects.RunFailure:
        """Return the failure as the FAILED event carries it."""
        return {
            "kind": self.kind,
            "message": self.message,
            "file": self.file,
            "line": self.line,
            "cell": self.cell,
            "traceback": self.traceback,
            "last_lines": list(last_lines),
        }


class DrainedError(Exception):
    """The machine is going away: the attempt ends here, another one takes over."""


def read_claim(body: bytes) -> RunError | None:
    """Return what `failure.json` claims, its strings made plain; None when it is not exactly a `contract.Failure`."""
    if len(body) > contract.FAILURE_BYTES:
        return None
    try:
        claim = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_closed,
            parse_constant=_refuse,
            parse_float=_refuse,
            parse_int=_small_int,
        )
    except (ValueError, RecursionError):
        return None
    if not isinstance(claim, dict) or set(claim) != set(contract.Failure.__annotations__):
        return None
    kind, message, file, trace = claim["kind"], claim["message"], claim["file"], claim["traceback"]
    if kind not in _CLAIMED or not isinstance(message, str) or not isinstance(trace, str):
        return None
    if not isinstance(file, str | None) or any(type(claim[k]) not in (int, type(None)) for k in ("line", "cell")):
        return None
    return RunError(
        kind,
        plain(message, _MESSAGE_CHARS) or "the strategy failed without a message",
        file=None if file is None else plain(file, _FILE_CHARS),
        line=claim["line"],
        cell=claim["cell"],
        traceback=plain(trace, _TRACEBACK_CHARS),
    )


def from_exit(status: int, last_lines: list[str], memory: str) -> RunError:
    """Return what a wait status says when the strategy's process left no readable claim behind.

    `memory` says peak and limit: for the process that had no memory left to say it itself.
    """
    message = f"the strategy's process {_ending(status)}"
    last = next((line.strip() for line in reversed(last_lines) if line.strip()), "")
    if last.startswith(_NO_MEMORY):
        message = f"{message} ({memory})"
    return RunError(
        "OUT_OF_MEMORY" if last.startswith(_NO_MEMORY) else "CODE",
        plain(f"{message}: {last}" if last else message, _MESSAGE_CHARS),
        traceback="\n".join(last_lines) or None,
    )


def _ending(status: int) -> str:
    """Return a wait status in words; it comes from a hostile file, so any number is possible."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        known = {int(s): s.name for s in signal.Signals}
        return f"was killed ({known.get(number, f'signal {number}')})"
    if os.WIFEXITED(status):
        code = os.WEXITSTATUS(status)
        return "left before its last decision (exit code 0)" if code == 0 else f"left with exit code {code}"
    return "ended in a way that nobody knows"


def _closed(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _refuse(text: str) -> Any:
    raise ValueError(f"no such number is expected: {text[:20]}")


def _small_int(text: str) -> int:
    if len(text) > 8 or not 0 <= int(text) <= _MAX_LINE:
        raise ValueError("a line number is small and not negative")
    return int(text)
