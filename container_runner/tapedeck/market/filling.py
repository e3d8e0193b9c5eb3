"""Writing a block: each column from the top down, every value once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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

    def take(self, at: int, months: Sequence[Month]) -> bool:
        """Write bars, ascending, into column `at` below those before; say whether all of them are on the grid."""
        grid = self._block.ts
        ts = np.concatenate([month.columns["ts"] for month in months])
        low, high = np.searchsorted(ts, (grid[0], grid[-1] + 1)).tolist()
        rows = _rows(grid, ts[low:high])
        if rows is None:
            return False
        if len(rows):
            begin, end = int(rows[0]), int(rows[-1]) + 1
            whole = len(rows) == end - begin
            self._nothing(at, begin if whole else end)
            start = -low  # of the month's bars in `rows`
            for month in months:
                self._put(at, month, rows, start)
                start += len(month)
            self._upto[at] = end
        return True

    def _put(self, at: int, month: Month, rows: range | NDArray[np.intp], start: int) -> None:
        """Write those of a month's bars that belong into rows; its first belongs into number `start` of them."""
        first, some = max(start, 0), slice(max(-start, 0), max(len(rows) - start, 0))
        into = rows[first : max(start + len(month), 0)]
        where = slice(into.start, into.stop) if isinstance(into, range) else into
        for name, values in self._block.fields.items():
            scale = np.float64(10 ** (month.volume_scale if name == "volume" else month.price_scale))
            ticks = np.asarray(month.columns[name])[some]
            # integer / 10**scale is correctly rounded: both are exact doubles
            if isinstance(where, slice):
                np.divide(ticks, scale, out=values[where, at])
            else:
                values[where, at] = ticks / scale

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
