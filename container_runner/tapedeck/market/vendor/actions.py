"""What a drop says of a symbol's splits and dividends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from tapedeck.market.actions import Dividend, Split


@dataclass(frozen=True)
class Actions:
    """A symbol's splits and dividends for ex-dates after `after` up to `upto` (None: all that there are)."""

    splits: tuple[Split, ...]
    dividends: tuple[Dividend, ...]
    after: date | None = None
    upto: date | None = None
    notes: tuple[str, ...] = ()
