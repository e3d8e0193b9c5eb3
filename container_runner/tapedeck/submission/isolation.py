"""Inspects a submission in a child process of its own: hostile source is never parsed in the caller's."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tapedeck.submission.child import ANSWER_BYTES, OUT_OF_MEMORY
from tapedeck.submission.errors import SubmissionError
from tapedeck.submission.inspection import Inspection
from tapedeck.submission.reader import kind_of
from tapedeck.submission.syntax import DEEP

MAX_BYTES = 4 * 1024 * 1024
_ROOT = Path(__file__).resolve().parents[2]  # the folder that holds the package `tapedeck`
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from tapedeck.submission.child import main; "
    "main(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))"
)
_ENVIRONMENT = ("LD_LIBRARY_PATH",)  # where Lambda's interpreter finds itself; nothing else is handed on
_TIME = (signal.SIGXCPU, signal.SIGKILL)  # the kernel's answer to the soft and to the hard limit of CPU time


@dataclass(frozen=True)
class Limits:
    """What the child may take."""

    memory_bytes: int = 512 * 1024 * 1024
    cpu_seconds: int = 10
    wall_seconds: float = 20.0


def inspect_source(name: str, body: bytes, limits: Limits | None = None) -> Inspection:
    """Return what the submitted file `name` is, without running it; raises `SubmissionError`.

    The child process has no environment, no site packages, and limits on memory, time, files and its answer.
    Raises `RuntimeError` when that process cannot run at all: the platform's fault, not the submission's.
    """
    limits = limits or Limits()
    kind_of(name)
    if len(body) > MAX_BYTES:
        message = f"{name} has {len(body):,} bytes; a submission has at most {MAX_BYTES:,}."
        raise SubmissionError("TOO_LARGE", message)
    return Inspection(**_ask("inspection", name, body, limits))


def list_source(name: str, body: bytes, limits: Limits | None = None) -> list[tuple[int | None, str]]:
    """Return the code of a submission as (code cell, text), a script's or an archive's entry point as (None, text).

    It is read under the limits of `inspect_source` and raises what that raises.
    """
    return [(number, text) for number, text in _ask("listing", name, body, limits or Limits())]


def _ask(what: str, name: str, body: bytes, limits: Limits) -> Any:
    """Return the child's answer; raises `SubmissionError` when it refuses."""
    answer = _answered(what, name, body, limits)
    error = answer.get("error")
    if error is not None:
        raise SubmissionError(**error)
    return answer[what]


def _answered(what: str, name: str, body: bytes, limits: Limits) -> dict[str, Any]:
    command = [sys.executable, "-I", "-S", "-B", "-c", _START, str(_ROOT), what, name]
    command += [str(limits.memory_bytes), str(limits.cpu_seconds)]
    import subprocess  # noqa: PLC0415 - a strategy's start, which loads this package, needs neither
    import tempfile  # noqa: PLC0415 - see above

    with tempfile.TemporaryFile() as out:  # a file, so that RLIMIT_FSIZE bounds the answer
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter on our own module
                command,
                input=body,
                stdout=out,
                stderr=subprocess.DEVNULL,
                timeout=limits.wall_seconds,
                check=False,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                cwd="/",
            )
        except subprocess.TimeoutExpired:
            raise SubmissionError("TOO_SLOW", _too_slow(limits)) from None
        out.seek(0)
        said = out.read(ANSWER_BYTES)
    if -done.returncode in _TIME:
        raise SubmissionError("TOO_SLOW", _too_slow(limits))
    if done.returncode < 0 or done.returncode == OUT_OF_MEMORY:  # a crash of the parser
        raise SubmissionError("TOO_DEEP", DEEP)
    if done.returncode:
        raise RuntimeError(f"the process that inspects submissions failed to run: exit code {done.returncode}")
    answer: dict[str, Any] = json.loads(said)
    return answer


def _too_slow(limits: Limits) -> str:
    return f"Parsing the source did not end within {limits.cpu_seconds} s: make it smaller or plainer."
