"""Reading bars of a snapshot on its calendar's grid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from tapedeck.market import block as blocks
from tapedeck.market import calendar as calendars
from tapedeck.market import months
from tapedeck.market.actions import Dividend
from tapedeck.market.block import NOTHING, Block
from tapedeck.market.encoding import COLUMNS, Month
from tapedeck.market.errors import DataError
from tapedeck.market.leaf import Leaf
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import ObjectStore


def read_block(  # noqa: PLR0917 -- runner and tests agreed on this order
    store: ObjectStore,
    snapshot: Snapshot,
    symbols: Sequence[str],
    fields: Sequence[str],
    first: date,
    last: date,
    *,
    near: months.Near | None = None,
) -> Block:
    """Return the raw bars of the sessions from `first` to `last`, both inclusive; fields: open high low close volume.

    Months come from `near` where it has them. Raises UnknownSymbolError, CalendarError, ValueError for a field that
    there is not, and DataError for stored bytes that are not what the snapshot says.
    """
    for name in fields:
        if name not in COLUMNS[1:]:
            raise ValueError(f"{name!r} is no field: {', '.join(COLUMNS[1:])} are")
    snapshot.check_calendar()
    grid = calendars.get(snapshot.calendar).grid(snapshot.bar, first, last)
    block = blocks.empty(grid, symbols, fields)
    if not len(block):
        return block
    leaves = snapshot.leaves(symbols)
    column = {symbol: at for at, symbol in enumerate(symbols)}
    asked = [
        months.wanted(snapshot.dataset, leaves[symbol], name)
        for symbol in column
        for name, ref in sorted(leaves[symbol].months.items())
        if ref.first <= last and ref.last >= first
    ]
    filled = Filled(block)
    for want, month in months.load(store, asked, near=near, columns=fields):
        if not filled.take(column[want.symbol], month):
            raise DataError(
                f"has a bar that is not on {snapshot.calendar}'s grid",
                symbol=want.symbol,
                month=want.name,
                key=want.key,
            )
    filled.finish()
    return block


class Filled:
    """How far each column of a block is written: every value is written once, from the top down."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._upto = [0] * len(block.symbols)

    def take(self, at: int, month: Month) -> bool:
        """Write the month's bars into column `at`, later than those before it; say whether all are on the grid."""
        grid = self._block.ts
        ts = np.frombuffer(month.columns["ts"], np.int64)
        low, high = np.searchsorted(ts, grid[0]), np.searchsorted(ts, grid[-1], side="right")
        rows = _rows(grid, ts[low:high])
        if rows is None:
            return False
        if len(rows):
            begin, end = int(rows[0]), int(rows[-1]) + 1
            self._nothing(at, begin if len(rows) == end - begin else end)
            for name, values in self._block.fields.items():
                scale = np.float64(10 ** (month.volume_scale if name == "volume" else month.price_scale))
                ticks = np.frombuffer(month.columns[name], np.int64)[low:high]
                # integer / 10**scale is correctly rounded: both are exact doubles
                if len(rows) == end - begin:
                    np.divide(ticks, scale, out=values[begin:end, at])
                else:
                    values[rows, at] = ticks / scale
            self._upto[at] = end
        return True

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


def history_start(snapshot: Snapshot, symbols: Sequence[str], start: date, bars: int) -> date:
    """Return the session from which at least `bars` bars of the grid lie before `start`.

    Where the data of the symbols begins later than that, its first session; `start` itself when nothing lies before it.
    """
    calendar = calendars.get(snapshot.calendar)
    begin = min((snapshot.span(symbol)[0] for symbol in symbols), default=start)
    found, held = start, 0
    for session in calendar.sessions_before(start):
        if held >= bars or session < begin:
            break
        found = session
        held += calendar.bars_per_session(snapshot.bar, session)
    return found


def dividend_closes(
    store: ObjectStore,
    snapshot: Snapshot,
    symbols: Sequence[str],
    first: date,
    last: date,
    *,
    near: months.Near | None = None,
) -> dict[Dividend, float]:
    """Return the raw close before each dividend's ex-date, for ex-dates after `first` up to `last`.

    A dividend without any earlier close has no entry. `near` and errors as in `read_block`.
    """
    calendar = calendars.get(snapshot.calendar)
    needed: dict[tuple[str, str], list[Dividend]] = {}
    asked: list[months.Wanted] = []
    for leaf in snapshot.leaves(symbols).values():
        for dividend in leaf.dividends:
            for name in _months_before(leaf, dividend.session) if first < dividend.session <= last else ():
                if (leaf.symbol, name) not in needed:
                    asked.append(months.wanted(snapshot.dataset, leaf, name))
                needed.setdefault((leaf.symbol, name), []).append(dividend)
    found: dict[Dividend, tuple[str, float]] = {}  # with the month's name: the later month has the close
    for want, month in months.load(store, asked, near=near, columns=("close",)):
        for dividend in needed[want.symbol, want.name]:
            close = _close_before(month, calendar.to_utc(dividend.session, 0))
            if close is not None:
                found[dividend] = max(found.get(dividend, ("", 0.0)), (want.name, close))
    return {dividend: close for dividend, (_, close) in found.items()}


def _months_before(leaf: Leaf, session: date) -> list[str]:
    """Return the session's month and the last one before it that have bars: one of the two has the close before it."""
    own = f"{session:%Y-%m}"
    earlier = max((name for name in leaf.months if name < own), default=None)
    return [name for name in (earlier, own) if name and name in leaf.months]


def _close_before(month: Month, ts: int) -> float | None:
    at = int(np.searchsorted(np.frombuffer(month.columns["ts"], np.int64), ts))
    return month.columns["close"][at - 1] / 10**month.price_scale if at else None
