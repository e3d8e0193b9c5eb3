"""A block of bars: what is read at once, on the calendar's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapedeck.market.grid import Grid
from tapedeck.market.memory import BLOCKS

NOTHING = {"open": np.nan, "high": np.nan, "low": np.nan, "close": np.nan, "volume": 0.0}  # where nothing has traded


@dataclass(frozen=True)
class Block:
    """Bars of n grid rows and s symbols. Prices are raw; a bar without a trade has NaN prices and volume 0."""

    symbols: tuple[str, ...]
    ts: NDArray[np.int64]  # (n,) us UTC, the bar's start
    session: NDArray[np.int32]  # (n,) days since 1970-01-01, exchange-local
    fields: dict[str, NDArray[np.float64]]  # (n, s), symbol-major: each symbol's rows lie together (order "F")

    def __len__(self) -> int:
        return len(self.ts)


def empty(grid: Grid, symbols: Sequence[str], fields: Sequence[str]) -> Block:
    """Return a block of the grid's rows whose values are still to be written: `NOTHING` where nothing has traded."""
    shape = (len(grid), len(symbols))
    return Block(
        symbols=tuple(symbols),
        ts=grid.ts,
        session=grid.session,
        fields={name: BLOCKS.table(*shape) for name in fields},
    )
