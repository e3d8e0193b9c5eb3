"""Measurements of reads: wall and CPU seconds, and what the closes add up to; one JSON line for all of them."""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from benchmarks.reads.where import FIELDS

TIMES, SECONDS = 5, 3.0  # runs at most, and after which none is begun
T = TypeVar("T")
Read = Callable[[Sequence[str]], float]  # fields -> the sum of all closes


def layout() -> str:
    """Return "months" or "years", as the command line says."""
    return sys.argv[1]


def report(read: Read) -> None:
    """Read each set of fields several times and print the best: wall, cpu, sum."""
    said = {}
    for name, fields in FIELDS.items():
        total, wall, taken = best(partial(read, fields))
        said[name] = {"wall": wall, "cpu": taken, "sum": total}
    print(json.dumps(said), flush=True)


def best(run: Callable[[], T]) -> tuple[T, float, float]:
    """Return the answer, wall and CPU seconds of the quickest of some runs after the first: the least disturbed one."""
    answer = run()
    wall, taken = math.inf, math.inf
    end = time.perf_counter() + SECONDS
    for _ in range(TIMES):
        begun, before = time.perf_counter(), cpu()
        answer = run()
        if (now := time.perf_counter()) - begun < wall:
            wall, taken = now - begun, cpu() - before
        if now > end:
            break
    return answer, wall, taken


def cpu() -> float:
    """Return this process's CPU seconds, user and system, of all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
