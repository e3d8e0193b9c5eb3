"""Longer bars from shorter ones: minutes to hours, hours to sessions, by the exchange's calendar.

A bar bears the time of its begin and holds what lies before the begin of the next, so that nothing in it is from later.
Intervals are counted from the exchange's midnight, as the hours of a dataset of hours are: XNYS's first hour is 09:00,
with what was traded from 09:30 on. No bar goes over a session's end: the last one of a session is cut there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapedeck.market import calendar as calendars
from tapedeck.market.calendar import MINUTE_US, Calendar
from tapedeck.market.errors import CalendarError

Array = NDArray[np.float64]
_FREQ = re.compile(r"([1-9][0-9]*)(m|h|d)")
_UNIT = {"m": 1, "h": 60, "d": 24 * 60}
_DAY = 24 * 60
_JOINED = {"volume": np.add, "high": np.fmax, "low": np.fmin}  # of the others the first or the last one counts


@dataclass(frozen=True)
class Intervals:
    """Where the longer bars begin: `rows`, the shorter bar that each begins with; its `ts` and `session`."""

    rows: NDArray[np.intp]  # (k,) ascending
    ts: NDArray[np.int64]  # (k,) us UTC
    session: NDArray[np.int32]  # (k,)

    def fold(self, name: str, values: Array) -> Array:
        """Return a field (n, s) over the longer bars, (k, s): NaN price and 0 volume where none of them traded."""
        if not len(self.rows):
            return values[:0]
        result = np.empty((len(self.rows), values.shape[1]), order="F")
        for column in range(values.shape[1]):
            one, joined = values[:, column], _JOINED.get(name)
            result[:, column] = joined.reduceat(one, self.rows) if joined else self._edge(name, one)
        return result

    def _edge(self, name: str, values: Array) -> Array:
        """Return the first ("open") or last value (n,) of each longer bar that is there."""
        there = np.flatnonzero(~np.isnan(values))
        ends = np.append(self.rows[1:], len(values))
        place = np.searchsorted(there, self.rows if name == "open" else ends) - (name != "open")
        row = there[np.clip(place, 0, len(there) - 1)] if len(there) else np.zeros(len(self.rows), np.intp)
        held = (row >= self.rows) & (row < ends) if len(there) else np.zeros(len(self.rows), np.bool_)
        return np.where(held, values[row], np.nan)


def minutes(freq: str) -> int:
    """Return how long a bar "5m", "1h" or "1d" is. Raises CalendarError for what does not divide a day."""
    m = _FREQ.fullmatch(freq)
    length = int(m[1]) * _UNIT[m[2]] if m else 0
    if not length or _DAY % length or (length < 60 and 60 % length):
        raise CalendarError(f"{freq!r} is no length of bars: 1m, 5m, 15m, 30m, 1h, 2h, 4h, 1d are, what divides a day")
    return length


def intervals(calendar: Calendar, bar: str, freq: str, ts: NDArray[np.int64], session: NDArray[np.int32]) -> Intervals:
    """Return the bars of `freq` over a grid of whole sessions of `bar`, ts and session ascending.

    Raises CalendarError when `freq` is no multiple of `bar`.
    """
    short, long = minutes(bar), minutes(freq)
    if long % short:
        raise CalendarError(f"bars of {freq} cannot be made of bars of {bar}")
    begin = _midnights(calendar, session)
    slot = (ts - begin) // (long * MINUTE_US) if long < _DAY else np.zeros(len(ts), np.int64)
    new = np.ones(len(ts), bool)
    new[1:] = (np.diff(session) != 0) | (np.diff(slot) != 0)
    rows = np.flatnonzero(new)
    starts = begin[rows] + slot[rows] * (long * MINUTE_US)
    return Intervals(rows, _opens(calendar, session[rows]) if long == _DAY else starts, session[rows])


def fold(at: Intervals, fields: Mapping[str, Array]) -> dict[str, Array]:
    """Return all fields over the longer bars."""
    return {name: at.fold(name, values) for name, values in fields.items()}


def _midnights(calendar: Calendar, session: NDArray[np.int32]) -> NDArray[np.int64]:
    days, row = np.unique(session, return_inverse=True)
    found = [calendar.to_utc(calendars.from_day_number(int(day)), 0) for day in days]
    return np.array(found, np.int64)[row] if len(days) else np.empty(0, np.int64)


def _opens(calendar: Calendar, session: NDArray[np.int32]) -> NDArray[np.int64]:
    return np.array([calendar.hours(calendars.from_day_number(int(day)))[0] for day in session], np.int64)
