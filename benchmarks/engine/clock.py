"""What a measured call took: wall and CPU seconds, and memory above what was there before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def rounds(run: Callable[[], dict[str, Any]], hot: int) -> dict[str, Any]:
    """Call `run` once cold and `hot` times more; return its last answer with the times and the memory.

    `cold`: wall seconds of the first call. `wall`, `cpu`: lists, of the hot calls. `memory`: bytes of the process's
    peak above what it held before the first call, inputs and imports included there.
    """
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    wall, cpu = list[float](), list[float]()
    answer: dict[str, Any] = {}
    for _ in range(1 + hot):
        answer = {}  # a result that is kept would count as memory of the next call
        at, used = time.perf_counter(), time.process_time()
        answer = run()
        wall.append(time.perf_counter() - at)
        cpu.append(time.process_time() - used)
    return {**answer, "cold": wall[0], "wall": wall[1:], "cpu": cpu[1:], "memory": _status("VmHWM") - before}


def say(answer: dict[str, Any]) -> None:
    """Print the answer as one JSON line."""
    print(json.dumps(answer))


def _status(name: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
