"""What holding costs and brings: the fee for borrowed shares and the interest on cash, by the day.

Both are booked at the first bar of a session for the days since the session before, on what was held at its close:
amount x annual rate x calendar days / 365.
"""

from __future__ import annotations

from dataclasses import dataclass

DAYS_A_YEAR = 365


@dataclass(frozen=True, slots=True)
class BorrowFee:
    """`annual`: fraction of the value held short, a year."""

    annual: float

    def due(self, short_value: float, days: int) -> float:
        """Return what is paid."""
        return short_value * self.annual * days / DAYS_A_YEAR


@dataclass(frozen=True, slots=True)
class Interest:
    """`credit_annual`: fraction of positive cash, a year; `debit_annual`: of negative cash."""

    credit_annual: float
    debit_annual: float

    def due(self, cash: float, days: int) -> float:
        """Return what the account receives; negative: pays."""
        return cash * (self.credit_annual if cash > 0 else self.debit_annual) * days / DAYS_A_YEAR
