"""Years of a symbol as the node's cache holds them: which months, under which name, where on the calendar's grid."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from itertools import groupby
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tapedeck.market import calendar as calendars
from tapedeck.market import layout
from tapedeck.market.leaf import Leaf
from tapedeck.market.wanted import Wanted
from tapedeck.market.wanted import wanted as of_leaf

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Year:
    """Months of one symbol and one year, ascending."""

    dataset: str
    leaf: Leaf
    names: tuple[str, ...]  # of the months

    @property
    def symbol(self) -> str:
        """The symbol."""
        return self.leaf.symbol

    @cached_property
    def months(self) -> tuple[Wanted, ...]:
        """What to ask for; a hit does without."""
        return tuple(of_leaf(self.dataset, self.leaf, self.names))

    @cached_property
    def name(self) -> str:
        """The digest of what the months say and of the calendar's grid: nothing else decides the file's content."""
        return name(self.dataset, [(month, self.leaf.months[month].digest) for month in self.names])

    @property
    def bars(self) -> int:
        """How many bars the grid has in these months."""
        return count(self.dataset, *span(self.dataset, self.names))

    def touches(self, first: date, last: date) -> bool:
        """Say whether a month has sessions from `first` to `last`."""
        return any(_within(self.leaf, month, first, last) for month in self.names)

    def parts(self, first: date, last: date) -> list[Wanted]:
        """Return the months that have sessions from `first` to `last`."""
        return [want for want in self.months if _within(self.leaf, want.name, first, last)]

    def place(self, first: date, last: date) -> tuple[int, int, int]:
        """Return which of its bars lie in the sessions from `first` to `last`: begin, number, and the row there."""
        begin, end = span(self.dataset, self.names)
        low, high = max(begin, first), min(end, last)
        before = timedelta(days=1)
        skipped, row = count(self.dataset, begin, low - before), count(self.dataset, first, low - before)
        return skipped, count(self.dataset, low, high), row


class Near(Protocol):
    """A place nearer than the store that may have years decoded: the node's cache. It is never wrong, often empty."""

    def ask(self, years: Sequence[Year]) -> Sequence[bool]:
        """Say which of the years are there, after bringing them there if that is quick."""
        ...

    def take(self, year: Year, begin: int, into: Mapping[str, Array]) -> bool:
        """Write a year's bars from number `begin` on into arrays (n,) of fields.

        False when they are not there whole and unharmed; what the arrays then hold is of no use.
        """
        ...


def wanted(dataset: str, leaf: Leaf, first: date, last: date) -> list[Year]:
    """Return the years of a leaf that have sessions from `first` to `last`, with the months that have any."""
    names = sorted(month for month in leaf.months if _within(leaf, month, first, last))
    return [Year(dataset, leaf, tuple(found)) for _, found in groupby(names, lambda month: month[:4])]


def _within(leaf: Leaf, month: str, first: date, last: date) -> bool:
    ref = leaf.months[month]
    return ref.first <= last and ref.last >= first


def name(dataset: str, held: Sequence[tuple[str, str]]) -> str:
    """Return the name of months (name, digest), ascending."""
    first, last = span(dataset, [month for month, _ in held])
    known = layout.parse_dataset(dataset)
    text = f"tapedeck grid 1\n{known.bar} {_sessions(known.calendar, first, last)}\n"
    return hashlib.sha256((text + "".join(f"{month} {digest}\n" for month, digest in held)).encode()).hexdigest()


def span(dataset: str, names: Sequence[str]) -> tuple[date, date]:
    """Return the first and the last day of months, ascending, as far as the calendar knows."""
    return _span(dataset, names[0], names[-1])


@lru_cache(maxsize=1024)  # the same for all symbols
def _span(dataset: str, first: str, last: str) -> tuple[date, date]:
    calendar = calendars.get(layout.parse_dataset(dataset).calendar)
    year, month = int(last[:4]), int(last[5:])
    after = date(year + month // 12, month % 12 + 1, 1)
    return max(date.fromisoformat(f"{first}-01"), calendar.first), min(after - timedelta(days=1), calendar.last)


@lru_cache(maxsize=4096)  # the same for all symbols
def count(dataset: str, first: date, last: date) -> int:
    """Return how many bars the grid has from `first` to `last`."""
    known = layout.parse_dataset(dataset)
    calendar = calendars.get(known.calendar)
    return sum(calendar.bars_per_session(known.bar, session) for session in calendar.sessions(first, last))


@lru_cache(maxsize=256)
def _sessions(calendar: str, first: date, last: date) -> str:
    return calendars.get(calendar).digest(first, last)
