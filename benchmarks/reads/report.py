"""Measurements of reads: wall and CPU seconds, and what the closes add up to; one JSON line for all of them."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence

from benchmarks.reads.where import FIELDS

Read = Callable[[Sequence[str]], float]  # fields -> the sum of all closes


def layout() -> str:
    """Return "months" or "years", as the command line says."""
    return sys.argv[1]


def report(read: Read) -> None:
    """Read each set of fields twice and print the second: wall, cpu, sum."""
    print(json.dumps({name: _second(read, fields) for name, fields in FIELDS.items()}), flush=True)


def _second(read: Read, fields: Sequence[str]) -> dict[str, float]:
    read(fields)
    wall, before = time.perf_counter(), cpu()
    total = read(fields)
    return {"wall": time.perf_counter() - wall, "cpu": cpu() - before, "sum": total}


def cpu() -> float:
    """Return this process's CPU seconds, user and system, of all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
