"""A sweep's market: a folder's, read once with the longest history that a trial asks for, or bars in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Protocol

import numpy as np

from tapedeck.bars import Array, Bars
from tapedeck.engine.inputs import Dividend, Split
from tapedeck.laptop import asked
from tapedeck.laptop.keepers import Traded
from tapedeck.market.block import Block
from tapedeck.market.calendar import from_day_number


class Market(Traded, Protocol):
    """What `tapedeck.laptop.market.Market` has."""

    def load(self, lookback: int, mode: asked.Adjust) -> None: ...  # noqa: D102 - the class says it
    def books(self, rows: slice) -> Block: ...  # noqa: D102
    def bars(self, rows: slice, fields: Sequence[str], lookback: int | None = None) -> Bars: ...  # noqa: D102
    def whole(self, name: str) -> Array: ...  # noqa: D102


class Held:
    """Bars in memory as the market of a run: no history before them, no splits and dividends."""

    def __init__(self, bars: Bars) -> None:
        self.symbols = bars.symbols
        self.splits: tuple[Split, ...] = ()
        self.dividends: tuple[Dividend, ...] = ()
        missing = [name for name in ("open", "close") if name not in bars.fields()]
        if missing or not len(bars):
            raise ValueError(f"the engine needs bars with open and close; these have no {missing or 'rows'}")
        if getattr(bars, "adjust", None) == "raw":
            raise ValueError('raw bars do not show their splits: read them with adjust="split", or hand in the folder')
        self._seen = {name: np.asfortranarray(values) for name, values in bars.fields().items()}
        self._raw = {name: np.asfortranarray(values) for name, values in bars.raw.fields().items()}
        if not all(_equal(self._seen[name], self._raw[name]) for name in self._raw):
            raise ValueError("the prices of these bars are adjusted, and the books need the splits: hand in the folder")
        self._ts, self._session = bars.ts, bars.session

    def load(self, lookback: int, mode: asked.Adjust) -> None:
        """Do nothing: the bars are there."""

    def chunks(self, level: str) -> Callable[[], list[slice]]:
        """Return what gives the chunks of a run: the rows of each calendar month, for "main" all at once."""
        return partial(self._months, level)

    def _months(self, level: str) -> list[slice]:
        if level == "main":
            return [slice(0, len(self._session))]
        months = self._session.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        edges = [0, *(np.flatnonzero(np.diff(months)) + 1).tolist(), len(months)]
        return [slice(first, last) for first, last in pairwise(edges)]

    def books(self, rows: slice) -> Block:
        """Return raw bars."""
        fields = {name: values[rows] for name, values in self._raw.items()}
        return Block(self.symbols, self._ts[rows], self._session[rows], fields)

    def bars(self, rows: slice, fields: Sequence[str], lookback: int | None = None) -> Bars:
        """Return the bars as a strategy sees them: `rows` and the history before them."""
        seen = slice(max(0, rows.start - (lookback or 0)), rows.stop)
        cut = {name: np.asfortranarray(self._seen[name][seen]) for name in fields}
        return Bars(symbols=self.symbols, ts=self._ts[seen], session=self._session[seen], fields=cut)

    def whole(self, name: str) -> Array:
        """Return a field over the whole span."""
        return self._seen[name]

    def header(self) -> dict[str, object]:
        """Return what a header block would say of these bars."""
        start, end = (from_day_number(int(self._session[at])).isoformat() for at in (0, -1))
        return {"dataset": "memory", "symbols": list(self.symbols), "start": start, "end": end}


def _equal(one: Array, other: Array) -> bool:
    """Return whether two arrays hold the same values; at once where they are the same memory."""
    same = one.ctypes.data == other.ctypes.data and one.strides == other.strides and one.shape == other.shape
    return same or np.array_equal(one, other, equal_nan=True)
