"""One symbol's bars of a drop: rows by month while reading, months once closed."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from tapedeck.market.calendar import Calendar
from tapedeck.market.encoding import COLUMNS, Month
from tapedeck.market.vendor.bar import AdjustedClose, Row
from tapedeck.market.vendor.cells import Cell, Folded, Rows, fold
from tapedeck.market.vendor.spill import Spill

GAPS = 10  # that are told of a symbol
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

    def spill(self, spill: Spill) -> None:
        """Move the months in memory to the spill."""
        for name, held in self._held.items():
            if isinstance(held, Month):
                self.put(name, held, spill)

    def places(self) -> dict[str, int]:
        """Return where in the spill each month stands, once all are there."""
        return {name: held[1] for name, held in self._held.items() if not isinstance(held, Month)}

    def at(self, places: Mapping[str, int], spill: Spill) -> None:
        """Take months as they stand in the spill."""
        self._held |= {name: (spill, at) for name, at in places.items()}


@dataclass
class Series:
    """A symbol's bars of a drop. What is counted of them stands once `close` is through, but for `unsorted`."""

    symbol: str
    rows: int = 0
    duplicates: int = 0
    unsorted: int = 0
    first: date = date.max
    last: date = date.min
    missing_sessions: int = 0  # between first and last without any bar
    gaps: list[tuple[date, date]] = field(default_factory=list)  # the first runs of those sessions: first, last
    missing_bars: int = 0  # that the calendar has in the sessions with any
    months: Months = field(default_factory=Months)
    closed: bool = False
    adjusted: list[AdjustedClose] = field(default_factory=list)  # raw and adjusted close of the rows that have both
    spilled: dict[str, array[int]] = field(default_factory=dict)  # where a month's blocks stand
    previous: int = 0  # time of the row before
    _cells: dict[str, Cell] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.rows

    def add(self, row: Row, file: int) -> bool:
        """Add a bar of the drop's file with this number; say whether it is earlier than the one before."""
        cell = self._cells.get(name := f"{row.session.year:04}-{row.session.month:02}")
        if cell is None:
            cell = self._cells[name] = Cell()
        cell.add(row, file)
        late = row.ts < self.previous
        self.unsorted += late
        self.previous = row.ts
        return late

    def extend(self, month: str, rows: Rows, late: list[int]) -> list[int]:
        """Add rows of a month; `late`: the lines of those that are earlier than the one before. Return all such."""
        cell = self._cells.get(month)
        if cell is None:
            cell = self._cells[month] = Cell()
        cell.take(rows)
        first, last = rows.ends
        found = [rows.line, *late] if first < self.previous else late
        self.unsorted += len(found)
        self.previous = last
        return found

    def spill(self, file: Spill) -> None:
        """Move what is in memory to a file."""
        for name, cell in self._cells.items():
            self.spilled.setdefault(name, array("q")).append(file.write(cell.to_bytes()))
        self._cells = {}
        self.months.spill(file)

    def close(self, spill: Spill | None, calendar: Calendar, bar: str, *, hold_back: bool) -> Iterator[Folded]:
        """Fold the rows into months, in order; yield each month's account."""
        sessions: list[date] = []
        for name in sorted({*self._cells, *self.spilled}):
            cell = Cell()
            for at in self.spilled.pop(name, ()):
                assert spill
                cell.extend(spill.read(at))
            if name in self._cells:
                cell.extend(self._cells.pop(name).to_bytes())
            folded = fold(cell, hold_back=hold_back)
            sessions += folded.sessions
            self.rows += len(folded.month)
            self.duplicates += len(folded.repeated)
            self.adjusted += [AdjustedClose(*one) for one in folded.adjusted]
            if folded.month.columns["ts"]:
                self.months.put(name, folded.month, spill)
            yield folded
        self._count(sessions, calendar, bar)
        self.closed = True

    def _count(self, sessions: list[date], calendar: Calendar, bar: str) -> None:
        if not sessions:
            return
        self.first, self.last = sessions[0], sessions[-1]
        between = calendar.sessions(self.first, self.last)
        self.missing_sessions = len(between) - len(sessions)
        self.gaps = _gaps(between, set(sessions))[:GAPS]
        self.missing_bars = sum(calendar.bars_per_session(bar, one) for one in sessions) - self.rows


def _gaps(sessions: list[date], there: set[date]) -> list[tuple[date, date]]:
    gaps, open_ = list[tuple[date, date]](), False
    for session in sessions:
        missing = session not in there
        if missing and open_:
            gaps[-1] = gaps[-1][0], session
        elif missing:
            gaps.append((session, session))
        open_ = missing
    return gaps
