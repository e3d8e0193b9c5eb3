"""One symbol's bars as they are read: checked row by row, then sorted and freed of repeats."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

from tapedeck.market import encoding
from tapedeck.market.calendar import day_number, from_day_number
from tapedeck.market.encoding import COLUMNS, MAX_ABS, PRICES, Month
from tapedeck.market.errors import EncodingError
from tapedeck.market.vendor.problems import Problems

Tick = tuple[int, int]  # integer and decimal scale


class Column:
    """Decimal numbers as integers of one scale, which grows with the first value that needs more decimals."""

    def __init__(self) -> None:
        self.values = array("q")
        self.scale = 0

    def append(self, tick: Tick) -> None:
        """Add a number. Raises EncodingError when the column cannot hold it exactly."""
        value, scale = tick
        if scale > self.scale:
            self.values = encoding.rescale(self.values, self.scale, scale)
            self.scale = scale
        value *= 10 ** (self.scale - scale)
        if abs(value) >= MAX_ABS:
            raise EncodingError(f"{value} does not fit 2**53 at {self.scale} decimals")
        self.values.append(value)


@dataclass(frozen=True)
class Rounded:
    """A number as printed: right to within `half`, half of its last decimal."""

    value: float
    half: float

    @classmethod
    def of(cls, text: str, decimals: int = 0) -> Rounded:
        """Return the number of a text that has at least `decimals` decimals, printed or not. Raises EncodingError."""
        encoding.check_decimal(text)
        printed = len(text.strip().lower().partition("e")[0].partition(".")[2])
        return cls(float(text), 0.5 * 10.0 ** -max(printed, decimals))


@dataclass(frozen=True)
class Row:
    """A bar as a vendor writes it, with where it stands; `adjusted` is the adjusted close where there is one."""

    session: date
    ts: int  # us UTC, the bar's start
    ticks: tuple[Tick, Tick, Tick, Tick, Tick]  # open, high, low, close, volume
    file: str
    line: int
    adjusted: Rounded | None = None


@dataclass(frozen=True)
class AdjustedClose:
    """A session's raw and adjusted close."""

    session: date
    close: float
    adjusted: Rounded


@dataclass
class Series:
    """A symbol's bars of a drop, in the order of reading until `close` is called."""

    symbol: str
    duplicates: int = 0
    unsorted: int = 0
    _columns: dict[str, Column] = field(default_factory=lambda: {name: Column() for name in COLUMNS})
    _sessions: array[int] = field(default_factory=lambda: array("i"))
    _lines: array[int] = field(default_factory=lambda: array("q"))
    _files: list[str] = field(default_factory=list)  # the file of the rows from `_file_from` on
    _file_from: array[int] = field(default_factory=lambda: array("q"))
    _adjusted: dict[int, Rounded] = field(default_factory=dict)  # by row

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def first(self) -> date:
        """The first session with a bar, once closed."""
        return from_day_number(self._sessions[0])

    @property
    def last(self) -> date:
        """The last session with a bar, once closed."""
        return from_day_number(self._sessions[-1])

    @property
    def sessions(self) -> int:
        """How many sessions have a bar."""
        return len(set(self._sessions))

    def add(self, row: Row) -> None:
        """Add a bar that `faults` finds nothing wrong with. Raises EncodingError when it cannot be held exactly."""
        at = len(self)
        for name, tick in zip(COLUMNS, ((row.ts, 0), *row.ticks), strict=True):
            self._columns[name].append(tick)
        self._sessions.append(day_number(row.session))
        self._lines.append(row.line)
        if not self._files or self._files[-1] != row.file:
            self._files.append(row.file)
            self._file_from.append(at)
        if row.adjusted is not None:
            self._adjusted[at] = row.adjusted

    def close(self, problems: Problems) -> None:
        """Sort by time and drop repeated rows; two rows of one time that differ are a problem."""
        ts = self._columns["ts"].values
        order = sorted(range(len(ts)), key=ts.__getitem__)
        self.unsorted = sum(after < before for before, after in pairwise(ts))
        kept: list[int] = []
        for at in order:
            if kept and ts[kept[-1]] == ts[at]:
                self._repeat(kept[-1], at, problems)
            else:
                kept.append(at)
        if kept != list(range(len(ts))):
            self._take(kept)

    def months(self) -> dict[str, Month]:
        """Return the bars by month of their sessions, "2004-01", once closed."""
        names = [f"{from_day_number(day):%Y-%m}" for day in self._sessions]
        begins = [at for at, name in enumerate(names) if at == 0 or names[at - 1] != name]
        scales = {name: column.scale for name, column in self._columns.items()}
        return {
            names[begin]: encoding.month(
                {name: column.values[begin:end] for name, column in self._columns.items()}, scales
            )
            for begin, end in zip(begins, [*begins[1:], len(names)], strict=True)
        }

    def adjusted_closes(self) -> list[AdjustedClose]:
        """Return raw and adjusted close of the rows that have both, once closed."""
        close = self._columns["close"]
        return [
            AdjustedClose(from_day_number(self._sessions[at]), close.values[at] / 10**close.scale, adjusted)
            for at, adjusted in sorted(self._adjusted.items())
        ]

    def _repeat(self, first: int, second: int, problems: Problems) -> None:
        self.duplicates += 1
        if any(column.values[first] != column.values[second] for column in self._columns.values()):
            file, line = self._where(second)
            other, before = self._where(first)
            message = f"{self.symbol} has another bar of this time in {other}, line {before}"
            problems.add(file, line, "conflict", message)

    def _where(self, row: int) -> tuple[str, int]:
        at = max(at for at, begin in enumerate(self._file_from) if begin <= row)
        return self._files[at], self._lines[row]

    def _take(self, rows: list[int]) -> None:
        for column in self._columns.values():
            column.values = array("q", map(column.values.__getitem__, rows))
        self._sessions = array("i", map(self._sessions.__getitem__, rows))
        self._lines = array("q", map(self._lines.__getitem__, rows))
        self._adjusted = {at: self._adjusted[row] for at, row in enumerate(rows) if row in self._adjusted}
        self._files, self._file_from = self._files[:1], self._file_from[:1]  # rows are in no file's order any more


def faults(ticks: tuple[Tick, Tick, Tick, Tick, Tick]) -> str | None:
    """Return what is wrong with a bar's numbers, None when nothing is."""
    scale = max(tick[1] for tick in ticks[:4])
    prices = [value * 10 ** (scale - own) for value, own in ticks[:4]]
    opened, high, low, closed = prices
    if low <= 0 or min(prices) <= 0:
        name = PRICES[prices.index(min(prices))]
        return f"{name} is {min(prices) / 10**scale:g}: prices are above 0"
    if high < low:
        return f"high {high / 10**scale:g} is below low {low / 10**scale:g}"
    for name, value in (("open", opened), ("close", closed)):
        if not low <= value <= high:
            return f"{name} {value / 10**scale:g} is outside of low {low / 10**scale:g} and high {high / 10**scale:g}"
    if ticks[4][0] < 0:
        return f"volume is {ticks[4][0] / 10 ** ticks[4][1]:g}"
    return None
