"""Months out of the store: objects are got ahead by many threads; months are decoded by the one that asks.

A month is decoded too quickly for threads to be worth their change-overs; a year is decoded where it was got.

An object whose bytes have the SHA-256 of the side index is what was checked when it was published or sealed. Any other
is decoded whole and held against the snapshot's digests. What is damaged is fetched once more; a sealed year that is
gone or stays damaged gives way to its months; a month that is or does is an error.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Collection, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import groupby
from math import ceil

from tapedeck.market import encoding, year_file
from tapedeck.market.encoding import Body, Month
from tapedeck.market.errors import DataError, EncodingError, StoreError
from tapedeck.market.leaf import Place
from tapedeck.market.store import THREADS, ObjectStore
from tapedeck.market.wanted import Wanted

_AHEAD_BYTES = 8 * 2**20  # that may wait in memory to be decoded
_AHEAD, _AT_LEAST = 256, 4  # turns
_TURN, _TURN_BYTES = 12, 2**19  # objects that a thread gets before it hands them over: each hand-over costs as a GET


@dataclass(frozen=True)
class Piece:
    """Months that lie one after the other, decoded together."""

    wants: Sequence[Wanted]
    month: Month

    def months(self) -> Iterator[tuple[Wanted, Month]]:
        """Yield each by itself."""
        begin = 0
        for want in self.wants:
            yield want, self.month.rows(begin, begin + want.ref.rows)
            begin += want.ref.rows


@dataclass(frozen=True)
class _Unit:
    """One object, a month's or a year's, and the months that are wanted of it."""

    key: str
    place: Place
    wants: Sequence[Wanted]
    sealed: bool


@dataclass(frozen=True)
class _Got:
    """What the store gave, None for nothing; a year's bars at once, if they are in it."""

    body: Body | None
    piece: Piece | None = None


def fetch(store: ObjectStore, months: Sequence[Wanted], columns: Collection[str]) -> Generator[Piece, None, None]:
    """Yield the months in order, each with `ts` and at least these columns.

    Raises DataError for a month that is gone, corrupt or not what the snapshot says; StoreError when the store gives
    nothing, however often it was asked. Close it when it is not read to its end: it has threads.
    """
    units = _units(months)
    wanted = {"ts", *columns}
    with closing(_ahead(store, units, wanted)) as ahead:
        for unit, got in zip(units, ahead, strict=True):
            yield from _pieces(store, unit, got, wanted)


def _units(months: Sequence[Wanted]) -> list[_Unit]:
    units = []
    for _, group in groupby(months, lambda want: want.sealed.key if want.sealed else want.key):
        wants = list(group)
        sealed = wants[0].sealed
        if sealed and sealed.is_worth(len(wants)):
            units.append(_Unit(sealed.key, sealed.place, wants, sealed=True))
        else:
            units += [_Unit(want.key, want.place, [want], sealed=False) for want in wants]
    return units


def _turns(units: Sequence[_Unit]) -> Iterator[Sequence[_Unit]]:
    """Yield the units as threads get them: several small ones at once, so many that all threads are done together."""
    rounds = ceil(len(units) / (THREADS * _TURN)) or 1
    most = ceil(len(units) / (THREADS * rounds))
    turn: list[_Unit] = []
    size = 0
    for unit in units:
        if turn and (len(turn) == most or size + unit.place.bytes > _TURN_BYTES):
            yield turn
            turn, size = [], 0
        turn.append(unit)
        size += unit.place.bytes
    if turn:
        yield turn


def _ahead(store: ObjectStore, units: Sequence[_Unit], columns: Collection[str]) -> Generator[_Got, None, None]:
    """Yield what the store gives, in order."""
    waiting: deque[tuple[Future[list[_Got]], int]] = deque()
    held = 0
    with ThreadPoolExecutor(min(THREADS, len(units)) or 1, thread_name_prefix="get") as pool:
        try:
            for turn in _turns(units):
                size = sum(unit.place.bytes for unit in turn)
                waiting.append((pool.submit(_get_turn, store, turn, columns), size))
                held += size
                while len(waiting) > _AHEAD or (held > _AHEAD_BYTES and len(waiting) > _AT_LEAST):
                    future, size = waiting.popleft()
                    held -= size
                    yield from future.result()
            while waiting:
                yield from waiting.popleft()[0].result()
        finally:
            for future, _ in waiting:
                future.cancel()


def _get_turn(store: ObjectStore, turn: Sequence[_Unit], columns: Collection[str]) -> list[_Got]:
    return [_get(store, unit, columns) for unit in turn]


def _get(store: ObjectStore, unit: _Unit, columns: Collection[str]) -> _Got:
    try:
        body = store.get(unit.key, unit.place.version)
    except KeyError:
        return _Got(None)
    except StoreError as error:
        first, last = unit.wants[0], unit.wants[-1]
        names = first.name if first is last else f"{first.name} to {last.name}"
        raise StoreError(f"{first.symbol} {names}: {error}") from error
    if unit.sealed:
        with suppress(EncodingError):  # whoever asks will see to it
            return _Got(body, _decoded(unit, body, columns))
    return _Got(body)


def _pieces(store: ObjectStore, unit: _Unit, got: _Got, columns: Collection[str]) -> Iterator[Piece]:
    problem: Exception | None = None
    for again in (False, True):
        found = _get(store, unit, columns) if again else got
        if found.body is None:
            break
        try:
            piece = found.piece or _decoded(unit, found.body, columns)
        except EncodingError as error:
            problem = error
            continue
        yield piece
        return
    if unit.sealed:
        yield from fetch(store, [replace(want, sealed=None) for want in unit.wants], columns)
        return
    (want,) = unit.wants
    reason = str(problem) if problem else "the object is gone"
    raise DataError(reason, symbol=want.symbol, month=want.name, key=want.key) from problem


def _decoded(unit: _Unit, body: Body, columns: Collection[str]) -> Piece:
    """Return what is wanted of an object. Raises EncodingError for bytes that do not hold it."""
    sha256 = unit.place.sha256
    known = sha256 is not None and hashlib.sha256(body).hexdigest() == sha256
    if unit.sealed:
        if not known:
            year_file.checked(body, {want.name: want.ref.digest for want in unit.wants})
        month = year_file.decode(body, [want.name for want in unit.wants], columns, narrow=True)
    elif known:
        month = encoding.decode(body, columns, narrow=True)
    else:
        month = encoding.decode(body)
        if encoding.digest(month) != unit.wants[0].ref.digest:
            raise EncodingError("the content does not have the snapshot's digest")
    if len(month) != sum(want.ref.rows for want in unit.wants):
        raise EncodingError("has not as many bars as the snapshot says")
    return Piece(unit.wants, month)
