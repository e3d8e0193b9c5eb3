"""Writing a block: each column from the top down, every value once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tapedeck.market.block import NOTHING, Block
from tapedeck.market.encoding import Month

Array = NDArray[np.float64]


class Filling:
    """How far each column of a block is written."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._upto = [0] * len(block.symbols)

    def take(self, at: int, month: Month) -> bool:
        """Write bars, of a month or more, into column `at` below those before; say whether all are on the grid."""
        grid = self._block.ts
        ts = np.asarray(month.columns["ts"])
        low, high = np.searchsorted(ts, grid[0]), np.searchsorted(ts, grid[-1], side="right")
        rows = _rows(grid, ts[low:high])
        if rows is None:
            return False
        if len(rows):
            begin, end = int(rows[0]), int(rows[-1]) + 1
            whole = len(rows) == end - begin
            self._nothing(at, begin if whole else end)
            for name, values in self._block.fields.items():
                scale = np.float64(10 ** (month.volume_scale if name == "volume" else month.price_scale))
                ticks = np.asarray(month.columns[name])[low:high]
                # integer / 10**scale is correctly rounded: both are exact doubles
                if whole:
                    np.divide(ticks, scale, out=values[begin:end, at])
                else:
                    values[rows, at] = ticks / scale
            self._upto[at] = end
        return True

    def place(self, at: int, row: int, bars: int) -> Mapping[str, Array]:
        """Return where `bars` bars from `row` on are to be written in column `at`."""
        return {name: values[row : row + bars, at] for name, values in self._block.fields.items()}

    def placed(self, at: int, row: int, bars: int) -> None:
        """Say that they were."""
        self._nothing(at, row)
        self._upto[at] = row + bars

    def finish(self) -> None:
        """Say of the rest that nothing has traded."""
        for at in range(len(self._upto)):
            self._nothing(at, len(self._block))

    def _nothing(self, at: int, row: int) -> None:
        begin = self._upto[at]
        for name, values in self._block.fields.items() if begin < row else ():
            values[begin:row, at] = NOTHING[name]


def _rows(grid: NDArray[np.int64], ts: NDArray[np.int64]) -> range | NDArray[np.intp] | None:
    """Return where the bars lie on the grid, a range when none between them is missing; None when one is not on it."""
    first = int(np.searchsorted(grid, ts[0])) if len(ts) else 0
    if np.array_equal(grid[first : first + len(ts)], ts):
        return range(first, first + len(ts))
    rows = np.searchsorted(grid, ts)
    return rows if np.array_equal(grid[rows], ts) else None
