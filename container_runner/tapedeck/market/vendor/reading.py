"""What a drop turns out to say: bars by symbol, actions, names; what was left out and what is wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

from tapedeck.market import calendar as calendars
from tapedeck.market.actions import Dividend, Split
from tapedeck.market.calendar import MINUTE_US, Calendar
from tapedeck.market.errors import CalendarError, EncodingError
from tapedeck.market.layout import Dataset
from tapedeck.market.vendor.problems import Problems
from tapedeck.market.vendor.series import Rounded, Row, Series, Tick, faults


@dataclass(frozen=True)
class Actions:
    """A symbol's splits and dividends for ex-dates after `after` up to `upto` (None: all that there are)."""

    splits: tuple[Split, ...]
    dividends: tuple[Dividend, ...]
    after: date | None = None
    upto: date | None = None
    notes: tuple[str, ...] = ()


@dataclass
class Reading:
    """The collector that the formats write to."""

    dataset: Dataset
    series: dict[str, Series] = field(default_factory=dict)
    actions: dict[str, Actions] = field(default_factory=dict)
    names: dict[str, tuple[tuple[date, str], ...]] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)
    left_out: Counter[str] = field(default_factory=Counter)  # rows by reason
    _starts: dict[date, range] = field(default_factory=dict, repr=False)

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

        A bar that is not on the calendar's grid is left out and counted; one whose numbers cannot be is a problem.
        Of daily bars the minutes say nothing.
        """
        fault = faults(ticks)
        if fault:
            self.problems.add(file, line, "price", f"{symbol}: {fault}")
            return
        day, minutes = at
        starts = self._starts.get(day)
        if starts is None:
            starts = self._starts[day] = self._grid(day)
        if not starts:
            self.left_out["no session"] += 1
            return
        ts = starts[0] if self.dataset.bar == "1d" else self.calendar.to_utc(day, minutes)
        if ts not in starts:
            self.left_out["outside of the session"] += 1
            return
        series = self.series.setdefault(symbol, Series(symbol))
        try:
            series.add(Row(day, ts, ticks, file, line, adjusted))
        except EncodingError as error:
            self.problems.add(file, line, "number", f"{symbol}: {error}")

    def moment(self, ts: int) -> tuple[date, int]:
        """Return exchange-local date and minutes after midnight of us UTC."""
        day = self.calendar.session_of(ts)
        return day, (ts - self.calendar.to_utc(day, 0)) // MINUTE_US

    def close(self) -> None:
        """Sort and check each symbol's bars as a whole; a drop that says nothing is a problem."""
        for series in self.series.values():
            series.close(self.problems)
        if not (self.series or self.actions or self.names or self.problems.count):
            self.problems.add("", None, "empty", f"no bar of {self.dataset.name}'s calendar is in it")

    def _grid(self, day: date) -> range:
        try:
            return self.calendar.starts(self.dataset.bar, day) if self.calendar.is_session(day) else range(0)
        except CalendarError:
            return range(0)
