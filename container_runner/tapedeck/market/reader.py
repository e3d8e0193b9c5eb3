"""Reading bars of a snapshot on its calendar's grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import date
from functools import partial

import numpy as np

from tapedeck.market import block as blocks
from tapedeck.market import calendar as calendars
from tapedeck.market import months, years
from tapedeck.market.actions import Dividend
from tapedeck.market.block import Block
from tapedeck.market.encoding import COLUMNS
from tapedeck.market.errors import DataError
from tapedeck.market.fetch import Piece
from tapedeck.market.filling import Filling
from tapedeck.market.grid import Grid, grid
from tapedeck.market.leaf import Leaf
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import ObjectStore
from tapedeck.market.wanted import Wanted
from tapedeck.market.years import Near, Year


def read_block(  # noqa: PLR0917 -- runner and tests agreed on this order
    store: ObjectStore,
    snapshot: Snapshot,
    symbols: Sequence[str],
    fields: Sequence[str],
    first: date,
    last: date,
    *,
    near: Near | None = None,
    within: tuple[date, date] | None = None,
) -> Block:
    """Return the raw bars of the sessions from `first` to `last`, both inclusive; fields: open high low close volume.

    Years come from `near` where it has them, with the months from one day to another, `within`, that are to be read
    sooner or later, by default these. Raises UnknownSymbolError, CalendarError, ValueError for a field that
    there is not, and DataError for stored bytes that are not what the snapshot says.
    """
    for name in fields:
        if name not in COLUMNS[1:]:
            raise ValueError(f"{name!r} is no field: {', '.join(COLUMNS[1:])} are")
    snapshot.check_calendar()
    rows = grid(snapshot.calendar, snapshot.bar, first, last)
    block = blocks.empty(rows, symbols, fields)
    if not len(block):
        return block
    leaves = snapshot.leaves(symbols)
    column = {symbol: at for at, symbol in enumerate(symbols)}
    asked = [
        year
        for symbol in column
        for year in years.wanted(snapshot.dataset, leaves[symbol], *(within or (first, last)))
        if year.touches(first, last)
    ]
    there = near.ask(asked) if near and asked else [False] * len(asked)
    apart = [want for year, found in zip(asked, there, strict=True) if not found for want in year.parts(first, last)]
    take = partial(months.pieces, store, columns=fields, keep=partial(_cut, first, last))
    filling = Filling(block)
    with closing(take(apart)) as read:
        for year, found in zip(asked, there, strict=True):
            at = column[year.symbol]
            if found and near and _copied(near, year, filling, at, year.place(first, last)):
                continue
            parts = year.parts(first, last)
            pieces = list(_first(take(parts) if found else read, len(parts)))
            if not filling.take(at, [piece.month for piece in pieces]):
                raise _off_the_grid(snapshot.calendar, rows, pieces)
    filling.finish()
    return block


def _first(pieces: Iterable[Piece], months: int) -> Iterator[Piece]:
    """Yield the pieces of so many months."""
    for piece in pieces:
        yield piece
        months -= len(piece.wants)
        if not months:
            return


def _cut(first: date, last: date, want: Wanted) -> bool:
    """Say whether a read takes only a part of a month: the next one takes the rest."""
    return want.ref.first < first or want.ref.last > last


def _off_the_grid(calendar: str, rows: Grid, pieces: Iterable[Piece]) -> DataError:
    """Return what is wrong with pieces, of the month whose bar it is."""
    there = set(rows.ts.tolist())
    months = ((one, set(month.columns["ts"]) - there) for piece in pieces for one, month in piece.months())
    want = next(one for one, off in months if any(rows.ts[0] <= ts <= rows.ts[-1] for ts in off))
    what = f"has a bar that is not on {calendar}'s grid"
    return DataError(what, symbol=want.symbol, month=want.name, key=want.key)


def _copied(near: Near, year: Year, filling: Filling, at: int, place: tuple[int, int, int]) -> bool:
    """Copy a year's bars (begin, number) into column `at` from a row on; say whether they were there."""
    begin, bars, row = place
    if not near.take(year, begin, filling.place(at, row, bars)):
        return False
    filling.placed(at, row, bars)
    return True


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
    near: Near | None = None,
    within: tuple[date, date] | None = None,
) -> dict[Dividend, float]:
    """Return the raw close before each dividend's ex-date, for ex-dates after `first` up to `last`.

    A dividend without any earlier close has no entry. `near`, `within` and errors as in `read_block`.
    """
    calendar = calendars.get(snapshot.calendar)
    needed: dict[str, dict[str, list[Dividend]]] = {}
    for leaf in snapshot.leaves(symbols).values():
        for dividend in leaf.dividends:
            for name in _months_before(leaf, dividend.session) if first < dividend.session <= last else ():
                needed.setdefault(name, {}).setdefault(leaf.symbol, []).append(dividend)
    found: dict[Dividend, float] = {}
    for name, paid in sorted(needed.items()):  # what a later month says, holds
        days = years.span(snapshot.dataset, [name])
        block = read_block(store, snapshot, tuple(paid), ("close",), *days, near=near, within=within)
        for at, dividends in enumerate(paid.values()):
            there = np.flatnonzero(~np.isnan(block.fields["close"][:, at]))
            for dividend in dividends:
                before = np.searchsorted(block.ts[there], calendar.to_utc(dividend.session, 0))
                if before:
                    found[dividend] = float(block.fields["close"][there[before - 1], at])
    return found


def _months_before(leaf: Leaf, session: date) -> list[str]:
    """Return the session's month and the last one before it that have bars: one of the two has the close before it."""
    own = f"{session:%Y-%m}"
    earlier = max((name for name in leaf.months if name < own), default=None)
    return [name for name in (earlier, own) if name and name in leaf.months]
