"""One symbol's bars of a drop: rows by month while reading, months once closed."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from tapedeck.market.calendar import day_number
from tapedeck.market.encoding import COLUMNS, Month
from tapedeck.market.vendor.bar import AdjustedClose, Row
from tapedeck.market.vendor.cells import Cell, Folded, Rows, Spill, fold

_HEAD = struct.Struct("<qq")


class Months(Mapping[str, Month]):
    """Months by name, ascending; those of a drop that spilled lie in its file until asked for."""

    def __init__(self) -> None:
        self._held: dict[str, Month | tuple[Spill, int]] = {}

    def __getitem__(self, name: str) -> Month:
        held = self._held[name]
        if isinstance(held, Month):
            return held
        spill, at = held
        body = spill.read(at)
        price_scale, volume_scale = _HEAD.unpack_from(body)
        values = array("q", body[_HEAD.size :])
        rows = len(values) // len(COLUMNS)
        columns = {name: values[n * rows : (n + 1) * rows] for n, name in enumerate(COLUMNS)}
        return Month(columns, price_scale, volume_scale)

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def put(self, name: str, month: Month, spill: Spill | None) -> None:
        """Hold a month, in the spill where there is one."""
        if spill is None:
            self._held[name] = month
            return
        body = b"".join(month.columns[column].tobytes() for column in COLUMNS)
        self._held[name] = spill, spill.write(_HEAD.pack(month.price_scale, month.volume_scale) + body)


@dataclass
class Series:
    """A symbol's bars of a drop. What is counted of them stands once `close` was called, but for `unsorted`."""

    symbol: str
    rows: int = 0
    duplicates: int = 0
    unsorted: int = 0
    sessions: array[int] = field(default_factory=lambda: array("i"))  # with a bar, day numbers ascending
    first: date = date.max
    last: date = date.min
    months: Months = field(default_factory=Months)
    grid: int = 0  # bars that the calendar has in those sessions
    _adjusted: list[AdjustedClose] = field(default_factory=list)
    _cells: dict[str, Cell] = field(default_factory=dict)
    _spilled: dict[str, array[int]] = field(default_factory=dict)  # where a month's blocks stand
    _previous: int = 0

    def __len__(self) -> int:
        return self.rows

    def add(self, row: Row, file: int) -> bool:
        """Add a bar of the drop's file with this number; say whether it is earlier than the one before."""
        cell = self._cells.get(name := f"{row.session.year:04}-{row.session.month:02}")
        if cell is None:
            cell = self._cells[name] = Cell()
        cell.add(row, file)
        late = row.ts < self._previous
        self.unsorted += late
        self._previous = row.ts
        return late

    def extend(self, month: str, rows: Rows, late: list[int]) -> list[int]:
        """Add rows of a month; `late`: the lines of those that are earlier than the one before. Return all such."""
        cell = self._cells.get(month)
        if cell is None:
            cell = self._cells[month] = Cell()
        cell.take(rows)
        first, last = rows.ends
        found = [rows.line, *late] if first < self._previous else late
        self.unsorted += len(found)
        self._previous = last
        return found

    def spill(self, file: Spill) -> None:
        """Move the rows in memory to a file."""
        for name, cell in self._cells.items():
            self._spilled.setdefault(name, array("q")).append(file.write(cell.to_bytes()))
        self._cells = {}

    def close(self, spill: Spill | None, *, hold_back: bool, bars: Callable[[date], int]) -> Iterator[Folded]:
        """Fold the rows into months, in order; yield each month's account. `bars`: the calendar's in a session."""
        for name in sorted({*self._cells, *self._spilled}):
            cell = Cell()
            for at in self._spilled.pop(name, ()):
                assert spill
                cell.extend(spill.read(at))
            if name in self._cells:
                cell.extend(self._cells.pop(name).to_bytes())
            folded = fold(cell, hold_back=hold_back)
            self._count(folded, bars)
            if folded.month.columns["ts"]:
                self.months.put(name, folded.month, spill)
            yield folded

    def adjusted_closes(self) -> list[AdjustedClose]:
        """Return raw and adjusted close of the rows that have both, once closed."""
        return self._adjusted

    def _count(self, folded: Folded, bars: Callable[[date], int]) -> None:
        self.rows += len(folded.month)
        self.duplicates += len(folded.repeated)
        self._adjusted += [AdjustedClose(*one) for one in folded.adjusted]
        if folded.sessions:
            self.sessions.extend(map(day_number, folded.sessions))
            self.grid += sum(map(bars, folded.sessions))
            self.first = min(self.first, folded.sessions[0])
            self.last = max(self.last, folded.sessions[-1])
