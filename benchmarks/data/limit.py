"""What bounds a hit: a plain array file per symbol and column, mapped, every value touched once."""

from __future__ import annotations

import numpy as np

from benchmarks.data import market, report
from benchmarks.data.where import ARRAYS, SYMBOLS
from tapedeck.market import reader


def make() -> None:
    """Write the arrays."""
    store, snapshot = market.load()
    ARRAYS.mkdir()
    for symbol in SYMBOLS:
        fields = report.FIELDS["all"]
        block = reader.read_block(store, snapshot, [symbol], fields, market.FIRST, market.LAST)
        np.save(ARRAYS / f"{symbol}.ts.npy", block.ts)
        for field in fields:
            np.save(ARRAYS / f"{symbol}.{field}.npy", block.fields[field][:, 0])


def main() -> None:
    """Print one measurement."""
    if not ARRAYS.exists():
        make()

    def run() -> float:
        total = 0.0
        for symbol in SYMBOLS:
            np.load(ARRAYS / f"{symbol}.ts.npy", mmap_mode="r").sum()
            total += sum(float(np.load(ARRAYS / f"{symbol}.{f}.npy", mmap_mode="r").sum()) for f in report.asked())
        return total

    report.second(run)


if __name__ == "__main__":
    main()
