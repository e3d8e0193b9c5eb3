"""The grid of bars: every bar that a calendar has between two days, traded or not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from tapedeck.market import calendar as calendars


@dataclass(frozen=True)
class Grid:
    """Bar starts of a range, of equal length: `ts` int64 (n,) us UTC, `session` int32 (n,) days since 1970-01-01."""

    ts: NDArray[np.int64]
    session: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ts)


def grid(calendar: str, bar: str, first: date, last: date) -> Grid:
    """Return the bars of all sessions from `first` to `last`, both inclusive. Raises CalendarError."""
    known = calendars.get(calendar)
    sessions = known.sessions(first, last)
    starts = [known.starts(bar, session) for session in sessions]
    ts = [np.arange(some.start, some.stop, some.step) for some in starts]
    days = np.array([calendars.day_number(session) for session in sessions], np.int32)
    return Grid(np.concatenate([np.empty(0, np.int64), *ts]), np.repeat(days, [len(some) for some in starts]))
