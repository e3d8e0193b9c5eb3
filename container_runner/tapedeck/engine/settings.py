"""How decisions become fills: sizing, rhythm, accounts, costs, and the market that takes the orders."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal, get_args

from tapedeck.ranges import RANGES, checked, contradiction

Accounts = Literal["one", "sleeves"]
SizeAt = Literal["decision", "fill"]
Rebalance = Literal["change", "day", "month"]
MOST_CASH, MOST_LEVERAGE = 1e12, 100.0
_PLAIN = ("commission_bps", "slippage_bps")  # of RANGES: what the plain books know


class EngineError(ValueError):
    """Input that the engine cannot keep books on; the message names bar and symbol where there is one."""

    failure_kind: ClassVar[Literal["CODE", "DATA", "LIMIT"]] = "CODE"  # whose fault it is, as a failed run says it


class PriceError(EngineError):
    """A price at which nothing trades: zero or below."""

    failure_kind = "DATA"


class SizeError(EngineError):
    """An order whose value is no number any more."""


class LimitError(EngineError):
    """More than a run may have; the message names the limit."""

    failure_kind = "LIMIT"


@dataclass(frozen=True)
class EngineSettings:
    """Settings of a run. `cash`: at the start, in the dataset's currency; `tapedeck.ranges` states the other units.

    `accounts`: one account for all symbols, or a sleeve for each (weight 1.0 = the whole sleeve).
    `size_at`: by equity and close of the decision's bar, or by equity and price at the fill's open.
    `rebalance`: trade a target when it changes, or also at the first bar of each session or month.
    `leverage`: buys may take cash down to -(leverage - 1) x equity; the proceeds of short sales count as cash.
    `halt_zero_volume`: a bar with a price but no volume is a halt, at which orders wait.
    """

    cash: float = 1_000_000.0
    accounts: Accounts = "one"
    size_at: SizeAt = "decision"
    rebalance: Rebalance = "change"
    leverage: float = 1.0
    fractional: bool = True
    commission_bps: float = 5.0
    commission_per_share: float = 0.0
    commission_minimum: float = 0.0
    slippage_bps: float = 2.0
    half_spread_per_share: float = 0.0
    impact_bps: float = 0.0
    volume_cap: float = 0.0
    halt_zero_volume: bool = False
    borrow_fee_annual: float = 0.0
    interest_credit_annual: float = 0.0
    interest_debit_annual: float = 0.0
    lot_size: float = 0.0
    maintenance_margin: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < _number(self.cash) <= MOST_CASH:
            raise EngineError(f"cash is a positive amount, up to {MOST_CASH:,.0f}, not {self.cash!r}")
        if not 1 <= _number(self.leverage) <= MOST_LEVERAGE:
            raise EngineError(f"leverage is at least 1 and at most {MOST_LEVERAGE:g}, not {self.leverage!r}")
        for name in ("cash", "leverage"):
            object.__setattr__(self, name, float(getattr(self, name)))
        for name, kind in (("accounts", Accounts), ("size_at", SizeAt), ("rebalance", Rebalance)):
            if getattr(self, name) not in get_args(kind):
                raise EngineError(f"{name} is one of {', '.join(get_args(kind))}, not {getattr(self, name)!r}")
        for name in ("fractional", "halt_zero_volume"):
            if not isinstance(getattr(self, name), bool):
                raise EngineError(f"{name} is true or false, not {getattr(self, name)!r}")
        try:
            for name in RANGES:
                object.__setattr__(self, name, checked(name, getattr(self, name)))  # an int becomes the float it is
        except ValueError as error:
            raise EngineError(str(error)) from None
        wrong = contradiction(asdict(self))
        if wrong:
            raise EngineError(wrong)

    @property
    def plain(self) -> bool:
        """Whether costs are basis points only and the market takes every order whole: what fast paths know."""
        return not self.halt_zero_volume and not any(getattr(self, name) for name in RANGES if name not in _PLAIN)

    @property
    def lot(self) -> float:
        """Shares are traded in whole multiples of it; 0 = any fraction."""
        return self.lot_size or (0.0 if self.fractional else 1.0)

    @property
    def carries(self) -> bool:
        """Whether a day that passes changes cash."""
        return bool(self.borrow_fee_annual or self.interest_credit_annual or self.interest_debit_annual)

    @property
    def by_volume(self) -> bool:
        """Whether fills depend on the bar's volume, so that a bar without any takes no order."""
        return bool(self.volume_cap or self.impact_bps or self.halt_zero_volume)


def _number(value: object) -> float:
    return math.nan if isinstance(value, bool) or not isinstance(value, int | float) else value
