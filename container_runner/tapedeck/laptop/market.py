"""The whole market of a run in memory: raw bars for the books, adjusted ones with history for the strategy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from tapedeck.bars import Array, Bars
from tapedeck.fields import FIELDS
from tapedeck.laptop.asked import Adjust
from tapedeck.market import adjust, reader
from tapedeck.market.block import Block
from tapedeck.market.calendar import day_number
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import ObjectStore


class Market:
    """Bars from `start` to `end` and `lookback` bars of history where the data has them."""

    def __init__(self, store: ObjectStore, snapshot: Snapshot, symbols: Sequence[str], start: date, end: date) -> None:
        self._store = store
        self._snapshot = snapshot
        self.symbols = tuple(symbols)
        self._start, self._end = start, end
        leaves = snapshot.leaves(symbols).values()
        self.splits = sorted(split for leaf in leaves for split in leaf.splits if split.session <= end)
        self.dividends = sorted(paid for leaf in leaves for paid in leaf.dividends if paid.session <= end)

    def load(self, lookback: int, mode: Adjust) -> None:
        """Read the bars; the adjustment is anchored at the run's first session."""
        begin = reader.history_start(self._snapshot, self.symbols, self._start, lookback) if lookback else self._start
        whole = reader.read_block(self._store, self._snapshot, self.symbols, FIELDS, begin, self._end)
        self._raw, self._lookback = whole, lookback
        closes = None
        if mode == "total":
            closes = reader.dividend_closes(self._store, self._snapshot, self.symbols, begin, self._end)
        known = self.splits, self.dividends, closes, self.symbols, whole.session, self._start
        factors = adjust.forward_factors(*known, mode)
        volume = adjust.forward_factors(*known, "split") if mode == "total" else factors
        self._adjusted = adjust.adjusted(whole, factors, volume)

    def rows(self, first: date, last: date) -> slice:
        """Return the rows of the sessions from `first` to `last`."""
        low = np.searchsorted(self._raw.session, day_number(first))
        return slice(int(low), int(np.searchsorted(self._raw.session, day_number(last + timedelta(days=1)))))

    def books(self, rows: slice) -> Block:
        """Return raw bars."""
        raw = self._raw
        cut = {name: values[rows] for name, values in raw.fields.items()}
        return Block(self.symbols, raw.ts[rows], raw.session[rows], cut)

    def bars(self, rows: slice, fields: Sequence[str], lookback: int | None = None) -> Bars:
        """Return the bars as a strategy sees them: `rows` and the history before them, all of it or `lookback` bars."""
        history = self._lookback if lookback is None else min(lookback, self._lookback)
        seen = slice(max(0, rows.start - history), rows.stop)
        return Bars(
            symbols=self.symbols,
            ts=self._raw.ts[seen],
            session=self._raw.session[seen],
            fields={name: _whole(self._adjusted[name][seen]) for name in fields},
            raw={name: _whole(self._raw.fields[name][seen]) for name in fields},
        )

    def whole(self, name: str) -> Array:
        """Return an adjusted field with all of the history, of which `bars` cuts what a strategy sees."""
        return self._adjusted[name]


def _whole(values: Array) -> Array:
    """Return the values in one piece, as the platform hands them out: NumPy's sums depend on how an array lies."""
    return np.asfortranarray(values)
