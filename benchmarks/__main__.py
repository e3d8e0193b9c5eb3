"""`make bench` and `make bench-NAME`: interleaved rounds, medians; a row and an object a measure."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from benchmarks.row import Row, keep

# Name -> module with `rows() -> list[Row]`.
MEASURES = {
    "s1": "benchmarks.s1.measure",
    "data": "benchmarks.data.measure",
    "reads": "benchmarks.reads.measure",
    "memory": "benchmarks.memory.measure",
    "first-bar": "benchmarks.sandbox.first_bar",
    "sandbox-cpu": "benchmarks.sandbox.cpu",
    "exchange": "benchmarks.sandbox.exchange",
    "logs": "benchmarks.sandbox.logs",
    "s1-on-bar": "benchmarks.s1.measure_on_bar",
    "agreement": "benchmarks.engine.agreement",
    "s2": "benchmarks.engine.s2",
    "costs": "benchmarks.engine.costs",
    "sweep": "benchmarks.engine.sweep",
}


def main(names: Sequence[str]) -> int:
    """Measure `names`, or everything; print the table, write `benchmarks/results/latest.json`."""
    unknown = set(names) - set(MEASURES)
    if unknown:
        print(f"no measure {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}", file=sys.stderr)
        return 2
    for name in names or MEASURES:
        rows: list[Row] = importlib.import_module(MEASURES[name]).rows()
        keep(rows)
        for row in rows:
            print(row.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
