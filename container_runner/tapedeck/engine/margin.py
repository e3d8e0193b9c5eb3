"""Margin: when an account holds too much for its equity, and what is sold then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from tapedeck.engine.settings import LimitError

MOST = 100_000  # trades by margin call of a run: `records` of them take 100 MB, and some 20 MB as JSON
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_ZERO = date(1970, 1, 1)


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


def check_count(count: int) -> None:
    """Raise `LimitError` when a run has more trades by margin call than `MOST`."""
    if count > MOST:
        raise LimitError(f"margin calls led to more than {MOST:,} trades, the most that a run may have")


def records(calls: Sequence[MarginCall], symbols: Sequence[str], *, sleeves: bool) -> list[dict[str, object]]:
    """Return margin calls as JSON; `account` is a sleeve's symbol, None for the one account."""
    return [
        {
            "time": f"{_EPOCH + timedelta(microseconds=call.ts):%Y-%m-%dT%H:%M:%SZ}",
            "session": (_DAY_ZERO + timedelta(days=call.session)).isoformat(),
            "account": symbols[call.account] if sleeves else None,
            "equity": call.equity,
            "held": call.held,
            "traded": [
                {"symbol": symbols[column], "quantity": quantity, "price": price}
                for column, quantity, price in call.traded
            ],
        }
        for call in calls
    ]
