"""When markets trade: sessions, opening hours in UTC, and the starts of bars.

A session is an exchange-local date. XNYS comes from `calendars/xnys.csv`, so that no time-zone database and no library
decides what a run of last year read; 24/7 has a session every UTC day.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path

from tapedeck.market.errors import CalendarError

MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US
EPOCH = date(1970, 1, 1).toordinal()
_MINUTES = {"1m": 1, "1h": 60}


def day_number(day: date) -> int:
    """Return days since 1970-01-01."""
    return day.toordinal() - EPOCH


def from_day_number(number: int) -> date:
    """Return the date that lies `number` days after 1970-01-01."""
    return date.fromordinal(number + EPOCH)


@dataclass(frozen=True)
class Calendar:
    """A market's sessions and hours. Hours are minutes after local midnight; offsets minutes from UTC."""

    name: str
    periods_per_year: int
    first: date
    last: date
    regular: tuple[int, int]
    _days: tuple[int, ...] = field(repr=False)  # day numbers of all sessions, ascending
    _special: dict[int, tuple[int, int]] = field(repr=False)  # sessions with other than the regular hours
    _offset_days: tuple[int, ...] = field(repr=False)
    _offsets: tuple[int, ...] = field(repr=False)

    def sessions(self, start: date, end: date) -> list[date]:
        """Return the sessions from `start` to `end`, both inclusive. Raises CalendarError outside of what is known."""
        return [from_day_number(day) for day in self._range(start, end)]

    def is_session(self, day: date) -> bool:
        """Say whether the market trades on this date. Raises CalendarError outside of what is known."""
        return len(self._range(day, day)) == 1

    def next_session(self, day: date) -> date:
        """Return the first session after `day`. Raises CalendarError past the end of the calendar."""
        at = bisect_right(self._days, day_number(day))
        if day < self.first or at == len(self._days):
            raise CalendarError(f"{self.name} knows no session after {day}")
        return from_day_number(self._days[at])

    def sessions_before(self, day: date) -> Iterator[date]:
        """Yield the sessions before `day`, latest first, back to the calendar's begin."""
        for at in range(bisect_left(self._days, day_number(day)) - 1, -1, -1):
            yield from_day_number(self._days[at])

    def hours(self, session: date) -> tuple[int, int]:
        """Return a session's open and close, us UTC."""
        opening, closing = self._special.get(day_number(session), self.regular)
        return self.to_utc(session, opening), self.to_utc(session, closing)

    def to_utc(self, day: date, minutes: int) -> int:
        """Return us UTC of `minutes` after local midnight, by the offset that holds at that day's noon."""
        number = day_number(day)
        offset = self._offsets[bisect_right(self._offset_days, number) - 1]
        return number * DAY_US + (minutes - offset) * MINUTE_US

    def session_of(self, ts: int) -> date:
        """Return the exchange-local date of a moment, us UTC."""
        number = ts // DAY_US
        offset = self._offsets[max(0, bisect_right(self._offset_days, number) - 1)]
        return from_day_number((ts + offset * MINUTE_US) // DAY_US)

    def starts(self, bar: str, session: date) -> range:
        """Return the bar starts of a session, us UTC.

        1d: the session's open. 1m: every minute of the session. 1h: the hours of the clock that overlap the session,
        so that a session of 09:30-16:00 has bars from 09:00 to 15:00.
        """
        opening, closing = self.hours(session)
        if bar == "1d":
            return range(opening, opening + 1)
        try:
            step = _MINUTES[bar] * MINUTE_US
        except KeyError:
            raise CalendarError(f"{bar!r} is no bar: 1d, 1h and 1m are") from None
        return range(opening - opening % step, closing, step)  # offsets are whole hours, so hours align in UTC

    def bars_per_session(self, bar: str, session: date) -> int:
        """Return how many bars the grid has in a session."""
        return len(self.starts(bar, session))

    def digest(self, start: date, end: date) -> str:
        """Return the SHA-256 over sessions and hours from `start` to `end`: a snapshot of that range depends on it."""
        h = hashlib.sha256()
        for day in self._range(start, end):
            opening, closing = self.hours(from_day_number(day))
            h.update(f"{day} {opening} {closing}\n".encode())
        return h.hexdigest()

    def _range(self, start: date, end: date) -> tuple[int, ...]:
        if start > end:
            return ()
        if start < self.first or end > self.last:
            raise CalendarError(f"{self.name} is known from {self.first} to {self.last}, not from {start} to {end}")
        return self._days[bisect_left(self._days, day_number(start)) : bisect_right(self._days, day_number(end))]


def get(name: str) -> Calendar:
    """Return the calendar "XNYS" or "24/7". Raises CalendarError for another name."""
    if name == "XNYS":
        return _xnys()
    if name == "24/7":
        return _always()
    raise CalendarError(f"{name!r} is no calendar: XNYS and 24/7 are")


@lru_cache(maxsize=1)
def _always() -> Calendar:
    first, last = date(1970, 1, 1), date(2099, 12, 31)
    days = tuple(range(day_number(first), day_number(last) + 1))
    return Calendar("24/7", 365, first, last, (0, 24 * 60), days, {}, (0,), (0,))


@lru_cache(maxsize=1)
def _xnys() -> Calendar:
    closed: set[int] = set()
    special: dict[int, tuple[int, int]] = {}
    offsets: dict[int, int] = {}
    end = date.min
    for line in (Path(__file__).parent / "calendars" / "xnys.csv").read_text().splitlines():
        if line.startswith(("#", "date,")):
            continue
        text, what, value = line.split(",")
        day = day_number(date.fromisoformat(text))
        if what == "closed":
            closed.add(day)
        elif what == "hours":
            opening, closing = value.split("-")
            special[day] = (_minutes(opening), _minutes(closing))
        elif what == "offset":
            offsets[day] = int(value)
        else:
            end = date.fromisoformat(text)
    first = from_day_number(min(offsets))
    days = tuple(
        day
        for day in range(day_number(first), day_number(end) + 1)
        if from_day_number(day).weekday() < 5 and day not in closed
    )
    regular = (_minutes("09:30"), _minutes("16:00"))
    return Calendar("XNYS", 252, first, end, regular, days, special, tuple(offsets), tuple(offsets.values()))


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
