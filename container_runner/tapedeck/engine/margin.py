"""Margin: when an account holds too much for its equity, and what is sold then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Margin:
    """`maintenance`: equity that an account keeps, as a fraction of the value held, long and short; 0 = no calls."""

    maintenance: float
    leverage: float

    def kept(self, equity: float, held: float) -> float:
        """Return the fraction of each position that the account keeps: 1.0 = no call.

        Below maintenance x held, positions are cut until they are worth leverage x equity: none of them without equity.
        """
        if not held or equity >= self.maintenance * held:
            return 1.0
        return max(equity * self.leverage / held, 0.0)


class MarginCall(NamedTuple):
    """An account was below its maintenance margin at a close; what was traded at the next open (`ts`, us UTC)."""

    ts: int
    session: int  # days since 1970-01-01
    account: int  # 0 for the one account, else the sleeve's column
    equity: float  # at the close before
    held: float  # value held then, long and short
    traded: tuple[tuple[int, float, float], ...]  # column, shares (negative: sold), price
