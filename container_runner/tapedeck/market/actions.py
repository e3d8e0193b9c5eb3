"""Corporate actions: what changes a holding without a trade."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, order=True)
class Split:
    """From `session`'s open on, a holding has `ratio` times the shares (2.0: two for one; 0.05: one for twenty)."""

    symbol: str
    session: date
    ratio: float


@dataclass(frozen=True, order=True)
class Dividend:
    """Who held the symbol at the close before `session`, its ex-date, is paid `amount` for each share held then.

    The share is counted before a split of the same session; the amount is in the dataset's currency.
    """

    symbol: str
    session: date
    amount: float
