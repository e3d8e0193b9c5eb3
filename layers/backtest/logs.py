"""A job's log, from the parts in the bucket: by position, over all attempts, in order.

A position is attempt, part and line in one number that only grows, so a reader that follows a run keeps its place over
retries. To callers it is opaque; 0 is the begin.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import run_objects
from backtest import layout
from backtest.cloud.objects import Bucket, MissingObjectError
from backtest.errors import CallerError
from backtest.job import TERMINAL
from backtest.store.rows import Job

PART_BYTES = 8 * 1024 * 1024
MAX_LINES = 5000
PARTS_A_CALL = 32
LAST_LINES, LINE_CHARS = 20, 500
ANSWER_BYTES = 2 * 1024 * 1024  # what a function may answer with is 6 MB, and JSON may double what it quotes
_LINES, _PARTS = 10**6, 10**5  # most lines of a part, most parts of an attempt


@dataclass(frozen=True)
class Position:
    """The next line to read: `line` of `part` of `attempt`."""

    attempt: int
    part: int
    line: int

    @classmethod
    def of(cls, number: int) -> Position:
        """Return the position that a number stands for; raises `CallerError` for one that was never given out."""
        rest, line = divmod(number, _LINES)
        attempt, part = divmod(rest, _PARTS)
        if number < 0 or attempt > 9999:
            raise CallerError(400, "BAD_VALUE", f"after={number} is no position", key="after")
        return cls(max(attempt, 1), part, line)

    def __int__(self) -> int:
        return (self.attempt * _PARTS + self.part) * _LINES + self.line


def read_log(job: Job, runs: Bucket, *, after: int, limit: int) -> dict[str, Any]:
    """Return up to `limit` lines from position `after` on, the `next` position, and whether the log is `done`.

    Fewer lines, where they are long or parts are many, do not mean the end: `done` does.

    A line is what the sidecar wrote (seq, stream, at, text) and its attempt.
    """
    if not 1 <= limit <= MAX_LINES:
        raise CallerError(400, "BAD_VALUE", f"limit is from 1 to {MAX_LINES}", key="limit")
    here, lines, size, ended = Position.of(after), list[dict[str, Any]](), 0, False
    for _ in range(PARTS_A_CALL):
        if len(lines) >= limit or size >= ANSWER_BYTES or here.attempt > job.attempt:
            break
        part = _part(runs, run_objects.log(job.id, here.attempt, here.part))
        if part is None and here.attempt >= job.attempt:
            ended = job.status in TERMINAL
            break
        if part is None:
            here = Position(here.attempt + 1, 0, 0)
            continue
        fresh = _fitting(part[here.line : here.line + limit - len(lines)], ANSWER_BYTES - size)
        size += sum(map(len, fresh))
        lines += [{**json.loads(line), "attempt": here.attempt} for line in fresh]
        read = here.line + len(fresh)
        whole = read >= len(part)
        here = Position(here.attempt, here.part + whole, 0 if whole else read)
    return {"lines": lines, "next": int(here), "done": ended}


def last_lines(runs: Bucket, job_id: str, attempt: int) -> list[str]:
    """Return the last lines of an attempt's last log part, short."""
    parts = runs.list(layout.attempt_prefix(job_id, attempt) + "logs/")
    lines = _part(runs, parts[-1]) if parts else None
    return [str(json.loads(line)["text"])[:LINE_CHARS] for line in (lines or [])[-LAST_LINES:]]


def _fitting(lines: list[bytes], room: int) -> list[bytes]:
    """Return the first lines that end within `room` bytes, and one that may not, so that every call moves on."""
    ends = accumulate(map(len, lines))
    return [line for line, end in zip(lines, ends, strict=True) if end - len(line) < room]


def _part(runs: Bucket, key: str) -> list[bytes] | None:
    try:
        return runs.get(key, limit=PART_BYTES).splitlines()
    except MissingObjectError:
        return None
