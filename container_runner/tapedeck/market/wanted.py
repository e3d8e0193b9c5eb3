"""What is asked for to get months of a leaf, and where their bytes lie: each in its file, closed years in one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from tapedeck.market import layout
from tapedeck.market.leaf import Leaf, MonthRef, Place

_SHARE = 3  # a year's object is worth its bytes from a third of its months on: four requests take longer than it


@dataclass(frozen=True)
class Sealed:
    """The object of a sealed year."""

    content: str  # the digest of what its months say
    key: str
    place: Place
    months: int  # that are in it

    def is_worth(self, months: int) -> bool:
        """Say whether reading it is quicker than reading so many of its months."""
        return months * _SHARE >= self.months


@dataclass(frozen=True)
class Wanted:
    """A month of a leaf, where its bytes lie, and the sealed year that has it too, if there is one worth reading."""

    symbol: str
    name: str  # "2004-01"
    key: str
    ref: MonthRef
    place: Place
    sealed: Sealed | None = None


def wanted(dataset: str, leaf: Leaf, names: Iterable[str]) -> list[Wanted]:
    """Return what to ask for to get a leaf's months, in the order of their names.

    A sealed year is named where it is worth reading for these months.
    """
    out = []
    for year, group in groupby(sorted(names), lambda name: name[:4]):
        months = list(group)
        sealed = _sealed(dataset, leaf, year)
        if sealed and not sealed.is_worth(len(months)):
            sealed = None
        for name in months:
            key, place = layout.month_name_key(dataset, leaf.symbol, name), leaf.places.get(name, Place(None, 0))
            out.append(Wanted(leaf.symbol, name, key, leaf.months[name], place, sealed))
    return out


def _sealed(dataset: str, leaf: Leaf, year: str) -> Sealed | None:
    found = leaf.sealed_year(year)
    if found is None:
        return None
    key = layout.sealed_key(dataset, leaf.symbol, year, found.content)
    return Sealed(found.content, key, Place(None, found.bytes, found.sha256), len(leaf.year(year)))
