"""Rows as they are read, a symbol's of a month, in memory or spilled to a file, until they are folded into a month."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from math import isnan, nan
from operator import lt
from typing import cast

from tapedeck.market import encoding
from tapedeck.market.calendar import day_number, from_day_number
from tapedeck.market.encoding import COLUMNS, MAX_ABS, Month
from tapedeck.market.vendor.bar import Rounded, Row

_TYPES = "q" * 6 + "b" * 5 + "iiqdd"  # ts and numbers; their scales; session, file, line; adjusted close and its half
_SESSION, _FILE, _LINE, _ADJUSTED, _HALF = range(11, 16)
_NONE = Rounded(nan, nan)
_PENDING = 32  # rows that are appended together, column by column: cheaper than one by one
_BYTES = sum(array(kind).itemsize for kind in _TYPES)  # a row's


NO_ADJUSTED = array("d", [nan]).tobytes()


@dataclass(frozen=True)
class Rows:
    """`count` rows as bytes, a column each, by `_TYPES`."""

    count: int
    columns: Sequence[bytes | memoryview]

    @property
    def ends(self) -> tuple[int, int]:
        """The first and the last row's time."""
        ts = memoryview(self.columns[0]).cast("B").cast("q")
        return ts[0], ts[-1]

    @property
    def line(self) -> int:
        """The first row's line."""
        return memoryview(self.columns[_LINE]).cast("B").cast("q")[0]


class Cell:
    """Rows in the order of reading: a column an array, each number with its own decimal scale."""

    def __init__(self) -> None:
        self._columns: list[array[int] | array[float]] = [array(kind) for kind in _TYPES]
        self._pending: list[tuple[float, ...]] = []

    @property
    def columns(self) -> list[array[int] | array[float]]:
        """The columns, by `_TYPES`."""
        for column, values in zip(self._columns, zip(*self._pending, strict=True), strict=False):
            column.extend(values)
        self._pending = []
        return self._columns

    def add(self, row: Row, file: int) -> None:
        """Add a row of the file with this number."""
        o, h, low, c, v = row.ticks
        adjusted = row.adjusted or _NONE
        numbers = (row.ts, o[0], h[0], low[0], c[0], v[0], o[1], h[1], low[1], c[1], v[1])
        self._pending.append((*numbers, day_number(row.session), file, row.line, adjusted.value, adjusted.half))
        if len(self._pending) == _PENDING:
            _ = self.columns

    @property
    def adjusted(self) -> array[int]:
        """The adjusted closes' bits: one that is not there is equal to another such."""
        return array("q", self.columns[_ADJUSTED].tobytes())

    def take(self, rows: Rows) -> None:
        """Add rows."""
        for column, body in zip(self.columns, rows.columns, strict=True):
            column.frombytes(body)

    def to_bytes(self) -> bytes:
        """Return the rows as this machine holds them."""
        return b"".join(column.tobytes() for column in self.columns)

    def extend(self, body: bytes) -> None:
        """Add the rows of `to_bytes`."""
        columns, rows, at = self.columns, len(body) // _BYTES, 0
        for column in columns:
            end = at + rows * column.itemsize
            column.frombytes(body[at:end])
            at = end

    def where(self, row: int) -> tuple[int, int]:
        """Return a row's file and line."""
        return int(self.columns[_FILE][row]), int(self.columns[_LINE][row])


@dataclass
class Folded:
    """What a cell comes to: its month, and what was seen on the way. Places are (file's number, line)."""

    month: Month
    sessions: list[date]
    repeated: list[tuple[int, int]]  # rows that were there before with the same values
    conflicts: list[tuple[tuple[int, int], tuple[int, int]]]  # a row, and the one before of its time that differs
    unfit: list[tuple[tuple[int, int], str]]  # rows whose numbers do not go with the others', with the column
    adjusted: list[tuple[date, float, Rounded]]  # session, raw close, adjusted close


def fold(cell: Cell, *, hold_back: bool) -> Folded:
    """Sort by time and drop repeated rows; of rows of one time that differ none is kept with `hold_back`."""
    scaled, unfit = _scaled(cell)
    ts, (_, numbers) = cell.columns[0], scaled
    if all(map(lt, ts, islice(ts, 1, None))):
        return _folded(cell, scaled, range(len(ts)), Folded(_EMPTY, [], [], [], unfit, []))
    numbers, kept = [*numbers, cell.adjusted], list[int]()
    repeated, conflicts, clashing = [], [], set()
    for at in sorted(range(len(ts)), key=ts.__getitem__):
        if not kept or ts[kept[-1]] != ts[at]:
            kept.append(at)
        elif any(column[kept[-1]] != column[at] for column in numbers):
            conflicts.append((cell.where(at), cell.where(kept[-1])))
            clashing.add(kept[-1])
        else:
            repeated.append(cell.where(at))
    if hold_back:
        kept = [at for at in kept if at not in clashing]
    return _folded(cell, scaled, kept, Folded(_EMPTY, [], repeated, conflicts, unfit, []))


_Scaled = tuple[list[int], list["array[int]"]]  # scales and values of the five numbers
_EMPTY = Month({name: array("q") for name in COLUMNS}, 0, 0)


def _scaled(cell: Cell) -> tuple[_Scaled, list[tuple[tuple[int, int], str]]]:
    scales, columns, unfit = [], [], []
    for name, values, own in zip(COLUMNS[1:], cell.columns[1:6], cell.columns[6:11], strict=True):
        scale, out = int(max(own, default=0)), cast("array[int]", values)
        if own.count(scale) < len(own) or max(out, default=0) >= MAX_ABS:
            scale, out, wrong = _rescaled(out, cast("array[int]", own))
            unfit += [(cell.where(at), name) for at in wrong]
        scales.append(scale)
        columns.append(out)
    return (scales, columns), unfit


def _rescaled(values: array[int], own: array[int]) -> tuple[int, array[int], list[int]]:
    """Return the least scale for all, the values at it, and the rows that do not fit: they are 0."""
    least = list(map(_least, values, own))
    scale = max(its for _, its in least)
    ticks = [value * 10 ** (scale - its) for value, its in least]
    wrong = [at for at, tick in enumerate(ticks) if abs(tick) >= MAX_ABS]
    for at in wrong:
        ticks[at] = 0
    return scale, array("q", ticks), wrong


def _least(value: int, scale: int) -> tuple[int, int]:
    while scale and value % 10 == 0:
        value, scale = value // 10, scale - 1
    return value, scale


def _folded(cell: Cell, scaled: _Scaled, kept: Sequence[int], told: Folded) -> Folded:
    scales, numbers = scaled
    columns = [cast("array[int]", cell.columns[0]), *numbers]
    if len(kept) < len(columns[0]) or not isinstance(kept, range):
        columns = [array("q", [column[at] for at in kept]) for column in columns]
    if not told.unfit and kept:
        told.month = encoding.month(
            dict(zip(COLUMNS, columns, strict=True)), dict(zip(COLUMNS[1:], scales, strict=True))
        )
    sessions = cell.columns[_SESSION]
    told.sessions = [from_day_number(int(day)) for day in dict.fromkeys(map(sessions.__getitem__, kept))]
    if cell.columns[_ADJUSTED].tobytes() != NO_ADJUSTED * len(cell.columns[_ADJUSTED]):
        told.adjusted = list(_adjusted(cell, kept))
    return told


def _adjusted(cell: Cell, kept: Sequence[int]) -> Iterator[tuple[date, float, Rounded]]:
    values, halves, closes, scales = (cell.columns[at] for at in (_ADJUSTED, _HALF, 4, 9))
    for at in kept:
        if not isnan(values[at]):
            close = closes[at] / 10 ** int(scales[at])
            yield from_day_number(int(cell.columns[_SESSION][at])), close, Rounded(values[at], halves[at])
