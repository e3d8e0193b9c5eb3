"""One measurement: wall and CPU seconds, and what came out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable


def timed(run: Callable[[], tuple[float, int]]) -> tuple[float, float, tuple[float, int]]:
    """Return wall and CPU seconds of one call, and its answer."""
    wall, cpu = time.perf_counter(), time.process_time()
    answer = run()
    return time.perf_counter() - wall, time.process_time() - cpu, answer


def report(wall: float, cpu: float, answer: tuple[float, int]) -> None:
    """Print the measurement as one JSON line."""
    print(json.dumps({"wall": wall, "cpu": cpu, "equity": answer[0], "fills": answer[1]}))
