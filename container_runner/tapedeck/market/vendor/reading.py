"""What a drop turns out to say: bars by symbol, actions, names; what was left out and what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

from tapedeck.market import calendar as calendars
from tapedeck.market.calendar import MINUTE_US, Calendar
from tapedeck.market.errors import CalendarError
from tapedeck.market.layout import Dataset
from tapedeck.market.pause import PauseError, always
from tapedeck.market.vendor import derive
from tapedeck.market.vendor.actions import Actions
from tapedeck.market.vendor.bar import Rounded, Row, Tick, faults, two_scales
from tapedeck.market.vendor.bookmark import Bookmark
from tapedeck.market.vendor.cells import Rows
from tapedeck.market.vendor.problems import Findings, Problem, Problems
from tapedeck.market.vendor.series import Series
from tapedeck.market.vendor.spill import Spill

BadRows = Literal["reject", "quarantine"]
PLACES = 10  # that are told of a reason
OFF_GRID = "between two bars' starts"  # no reason to leave a row out, but to refuse the file: its bars are others
HELD_ROWS = 2_000_000  # in memory, before they are spilled to a file: some 170 MB


@dataclass
class Reading:
    """The collector that the formats write to. `bad_rows`: what a row whose prices cannot be does to the drop.

    `go_on` says whether there is time left; where there is none reading stops, to go on at `bookmark` another time.
    """

    dataset: Dataset
    bad_rows: BadRows = "reject"
    held_rows: int = field(default_factory=lambda: HELD_ROWS)
    series: dict[str, Series] = field(default_factory=dict)
    actions: dict[str, Actions] = field(default_factory=dict)
    names: dict[str, tuple[tuple[date, str], ...]] = field(default_factory=dict)
    universes: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)
    findings: Findings = field(default_factory=Findings)  # "price", "conflict": held back; "two-scales": told only
    left_out: Counter[str] = field(default_factory=Counter)  # rows by reason
    places: dict[str, list[str]] = field(default_factory=dict)  # file:line of the first ones left out, and out of order
    bookmark: Bookmark = field(default_factory=Bookmark)
    go_on: Callable[[], bool] = always
    files: dict[str, int] = field(default_factory=dict, repr=False)  # their numbers
    spill: Spill | None = field(default=None, repr=False)
    _starts: dict[date, range] = field(default_factory=dict, repr=False)
    _held: int = 0

    @property
    def calendar(self) -> Calendar:
        """The dataset's calendar."""
        return calendars.get(self.dataset.calendar)

    def bar(
        self,
        symbol: str,
        at: tuple[date, int],
        ticks: tuple[Tick, Tick, Tick, Tick, Tick],
        *,
        file: str,
        line: int,
        adjusted: Rounded | None = None,
    ) -> None:
        """Take a bar that starts at (exchange-local date, minutes after local midnight).

        A bar that is not on the calendar's grid is left out and counted; one whose numbers cannot be is a problem, or
        held back where the policy is "quarantine". Of daily bars the minutes say nothing.
        """
        fault = faults(ticks)
        if fault:
            self._bad(file, line, "price", f"{symbol}: {fault}")
            return
        ts = self._place(at, file, line)
        if ratio := two_scales(ticks):
            self._two_scales(Problem(file, line, "two-scales", symbol), at, ratio, kept=ts is not None)
        if ts is None:
            return
        if self._series(symbol).add(Row(at[0], ts, ticks, file, line, adjusted), self.file_number(file)):
            self.seen("unsorted", file, line)
        self._hold(1)

    def take(self, symbol: str, month: str, rows: Rows, *, late: list[int]) -> list[int]:
        """Take rows of a symbol's month in the order of reading; `late`: lines of those earlier than the one before.

        Nothing is checked: `batch` did. Return `late`, with the first row's line where it is late too.
        """
        found = self._series(symbol).extend(month, rows, late)
        self._hold(rows.count)
        return found

    def seen(self, reason: str, file: str, line: int) -> None:
        """Note where a row stood that was left out, or out of order."""
        places = self.places.setdefault(reason, [])
        if len(places) < PLACES:
            places.append(f"{file}:{line}")

    def file_number(self, file: str) -> int:
        """Return a file's number, by which its rows know it."""
        return self.files.setdefault(file, len(self.files))

    def _series(self, symbol: str) -> Series:
        series = self.series.get(symbol)
        if series is None:
            series = self.series[symbol] = Series(symbol)
        return series

    def _hold(self, rows: int) -> None:
        self._held += rows
        if self._held >= self.held_rows:
            self.spill_all()

    def moment(self, ts: int) -> tuple[date, int]:
        """Return exchange-local date and minutes after midnight of us UTC."""
        day = self.calendar.session_of(ts)
        return day, (ts - self.calendar.to_utc(day, 0)) // MINUTE_US

    def close(self) -> None:
        """Sort and check each symbol's bars as a whole; a drop that says nothing is a problem.

        What was closed stays so. Raises PauseError when there is no more time.
        """
        if self.spill:
            self.spill_all()
        for symbol in sorted(self.series):
            if not self.series[symbol].closed:
                self._close(symbol)
                if not self.go_on():
                    raise PauseError
        if not (self.series or self.actions or self.names or self.universes or self.problems.count):
            self.problems.add("", None, "empty", f"no bar of {self.dataset.name}'s calendar is in it")

    def _close(self, symbol: str) -> None:
        series, files = self.series[symbol], list(self.files)
        hold_back = self.bad_rows == "quarantine"
        for folded in series.close(self.spill, self.calendar, self.dataset.bar, hold_back=hold_back):
            for (file, line), (other, before) in folded.conflicts:
                message = f"{symbol} has another bar of this time in {files[other]}, line {before}"
                self._bad(files[file], line, "conflict", message)
            for file, line in folded.repeated:
                self.seen("duplicate", files[file], line)
            for (file, line), name in folded.unfit:
                message = f"{symbol}: {name} does not fit 2**53 at the decimals that others of its month have"
                self.problems.add(files[file], line, "number", message)
        closes, series.adjusted = series.adjusted, []
        if closes and symbol not in self.actions and not self.problems.count:
            self.actions[symbol] = derive.from_adjusted(symbol, closes)
        if not series.rows:
            del self.series[symbol]

    def _bad(self, file: str, line: int, code: str, message: str) -> None:
        if self.bad_rows == "quarantine":
            self.findings.add(Problem(file, line, code, message))
        else:
            self.problems.add(file, line, code, message)

    def _two_scales(self, found: Problem, at: tuple[date, int], ratio: int, *, kept: bool) -> None:
        clock = "" if self.dataset.bar == "1d" else f" {at[1] // 60:02}:{at[1] % 60:02}"
        fate = "kept" if kept else "outside of the session, left out"
        message = f"{found.message}: the bar of {at[0]}{clock} holds two scales, {ratio} to 1; {fate}"
        self.findings.add(replace(found, message=message))

    def _place(self, at: tuple[date, int], file: str, line: int) -> int | None:
        place = self.place(at)
        if isinstance(place, int):
            return place
        if place == OFF_GRID:
            self.problems.add(file, line, "date", self._no_start(at))
        else:
            self.leave_out(place, file, line)
        return None

    def _no_start(self, at: tuple[date, int]) -> str:
        return f"{at[0]} {at[1] // 60:02}:{at[1] % 60:02} is no start of a bar of {self.dataset.bar}"

    def start(self, at: tuple[date, int]) -> tuple[date, int]:
        """Return `at` of a vendor whose days begin at midnight. Raises ValueError for another time of a daily bar."""
        if self.dataset.bar == "1d" and at[1]:
            raise ValueError(self._no_start(at))
        return at

    def leave_out(self, reason: str, file: str, line: int) -> None:
        """Count a row that is not taken."""
        self.left_out[reason] += 1
        self.seen(reason, file, line)

    def place(self, at: tuple[date, int]) -> int | str:
        """Return where a bar stands, us UTC; why it is left out when it is not on the grid, or `OFF_GRID`."""
        day, minutes = at
        starts = self._starts.get(day)
        if starts is None:
            starts = self._starts[day] = self._grid(day)
        if not starts:
            return "no session"
        ts = starts[0] if self.dataset.bar == "1d" else self.calendar.to_utc(day, minutes)
        if ts in starts:
            return ts
        return OFF_GRID if starts.start < ts < starts.stop else "outside of the session"

    def spill_all(self) -> Spill:
        """Move all rows in memory to the temporary file, and return it."""
        self.spill = self.spill or Spill()
        for series in self.series.values():
            series.spill(self.spill)
        self._held = 0
        return self.spill

    def _grid(self, day: date) -> range:
        try:
            return self.calendar.starts(self.dataset.bar, day) if self.calendar.is_session(day) else range(0)
        except CalendarError:
            return range(0)
