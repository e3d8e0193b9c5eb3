"""How a tabular format writes bars: its columns' names, its times and prices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from tapedeck.market import encoding
from tapedeck.market.vendor.bar import Tick
from tapedeck.market.vendor.reading import Reading

Fields = Mapping[str, str]  # a row's texts by our names


@lru_cache(maxsize=65_536)  # prices come again
def decimal(text: str) -> Tick:
    """Return a price that is written as a decimal number. Raises EncodingError."""
    return encoding.ticks(text)


@dataclass(frozen=True)
class Layout:
    """How a format writes bars. `names`: its columns, bare (see `bare`), to ours; `when` raises ValueError."""

    names: Mapping[str, str]
    needed: tuple[str, ...]  # by our names
    when: Callable[[Reading, str], tuple[date, int]]  # exchange-local date, minutes after midnight
    price: Callable[[str], Tick] = decimal
    symbol: Callable[[str], str] = str.upper
    other: Callable[[Reading, Fields], str | None] = lambda reading, row: None  # why a row is not for this dataset
    seen: Callable[[], str | None] = lambda: None  # a price that was taken, where others must be written like it
    fixed: int = 0  # decimals of a price that is written as a whole number; `price` says the same


def bare(name: str) -> str:
    """Return a column's name as it is compared: without case, blanks and underscores."""
    return "".join(name.casefold().replace("_", " ").split())
