"""The process that parses hostile source: limits itself, reads stdin, answers one JSON object on stdout."""

from __future__ import annotations

import json
import resource
import sys

from tapedeck.submission.errors import SubmissionError
from tapedeck.submission.syntax import DEEP

ANSWER_BYTES = 1024 * 1024
OUT_OF_MEMORY = 70  # exit code: no memory even for a refusal


def main(what: str, name: str, memory_bytes: int, cpu_seconds: int) -> None:
    """Answer with the "inspection" or the "listing" of the source on stdin; limits hold from before its first byte."""
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_FSIZE: ANSWER_BYTES,
        resource.RLIMIT_NOFILE: 32,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))
    try:
        sys.stdout.write(json.dumps(_answer(what, name, sys.stdin.buffer.read()), allow_nan=False))
    except MemoryError:
        sys.exit(OUT_OF_MEMORY)


def _answer(what: str, name: str, body: bytes) -> dict[str, object]:
    from tapedeck.submission import reader  # noqa: PLC0415 - after the limits are set

    try:
        if what == "listing":
            return {
                "listing": [(cell.number, cell.text) for cell in reader.cells_of(reader.kind_of(name), name, body)[0]]
            }
        return {"inspection": reader.read(name, body).to_dict()}
    except SubmissionError as error:
        return {"error": error.to_dict()}
    except (RecursionError, MemoryError):
        return {"error": SubmissionError("TOO_DEEP", DEEP).to_dict()}
