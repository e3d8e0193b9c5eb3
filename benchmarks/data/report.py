"""One measurement of a read: wall and CPU seconds, and what the values add up to."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

FIELDS = {"close": ("close",), "all": ("open", "high", "low", "close", "volume")}


def asked() -> tuple[str, ...]:
    """Return the fields that the command line names."""
    return FIELDS[sys.argv[1]]


def second(run: Callable[[], float]) -> None:
    """Run twice and print the second run as one JSON line."""
    run()
    wall, cpu = time.perf_counter(), time.process_time()
    total = run()
    print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "sum": total}))
