"""Accounts, holdings and fills in plain floats: the arithmetic that weights and orders share, in a stated order.

price = reference x (1 -/+ slippage), value = |quantity| x price, commission = value x rate; cash += value - commission
for a sale, cash -= value + commission for a buy. An account whose buys cost more than its power, cash +
(leverage - 1) x equity, scales them all by power / cost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tapedeck.engine.settings import EngineSettings

NONE = math.nan
DUST = 1e-9  # of the starting cash: less is no money to buy with


@dataclass(slots=True)
class When:
    """The bar at which something fills: its start (us UTC) and its session's day."""

    ts: int
    session: int


class Buy(NamedTuple):
    """A wish to buy: `price` with slippage, before commission."""

    column: int
    quantity: float
    price: float


class Ledger:
    """Cash, shares and cost basis; `rows` collects the fills as tuples in the order of `fills.RECORD`."""

    def __init__(self, settings: EngineSettings, cash: list[float], shares: list[float], basis: list[float]) -> None:
        self.settings = settings
        self.slippage = settings.slippage_bps / 10_000
        self.commission = settings.commission_bps / 10_000
        self.sleeves = settings.accounts == "sleeves"
        self.account = list(range(len(shares))) if self.sleeves else [0] * len(shares)
        self.cash = cash
        self.shares = shares
        self.basis = basis
        self.rows: list[tuple[float, ...]] = []

    def equity(self, prices: list[float]) -> list[float]:
        """Return each account's equity at `prices`; those of symbols not held may be NaN."""
        if self.sleeves:
            held = zip(self.cash, self.shares, prices, strict=True)
            return [cash + (quantity * price if quantity else 0.0) for cash, quantity, price in held]
        total = 0.0
        for quantity, price in zip(self.shares, prices, strict=True):
            if quantity:
                total += quantity * price
        return [self.cash[0] + total]

    def size(self, i: int, weight: float, price: float, equity: list[float]) -> float:
        """Return the shares to trade until `weight` of the account's equity is held; NaN without a price."""
        if weight == 0:
            return -self.shares[i]
        shares = weight * max(equity[self.account[i]], 0.0) / price
        if not self.settings.fractional and math.isfinite(shares):
            shares = float(math.trunc(shares))
        return shares - self.shares[i]

    def afford(self, buys: Mapping[int, Buy], equity: list[float]) -> tuple[dict[int, float], set[int]]:
        """Return by key the shares that each account's power pays for, and the keys that were cut back."""
        cost: dict[int, float] = {}
        for buy in buys.values():
            value = buy.quantity * buy.price
            account = self.account[buy.column]
            cost[account] = cost.get(account, 0.0) + (value + value * self.commission)
        credit = self.settings.leverage - 1.0
        power = {account: self.cash[account] + (credit * equity[account] if credit else 0.0) for account in cost}
        bought, cut = {}, set()
        for key, buy in buys.items():
            account = self.account[buy.column]
            bought[key] = buy.quantity
            if not cost[account] <= power[account]:
                cut.add(key)
                share = power[account] / cost[account] if power[account] > DUST * self.settings.cash else 0.0
                bought[key] = self._whole(buy.quantity * share)
        return bought, cut

    def trade(self, when: When, i: int, quantity: float, reference: float, slippage: float) -> None:
        """Book a fill of `quantity` shares, negative for a sale, at `reference` and a slippage as a fraction of it."""
        price = reference * (1.0 + slippage) if quantity > 0 else reference * (1.0 - slippage)
        value = abs(quantity) * price
        commission = value * self.commission
        flow = value - commission if quantity < 0 else -(value + commission)
        self.cash[self.account[i]] += flow
        realised = self._realise(i, quantity, flow)
        self.shares[i] += quantity
        paid = abs(quantity) * abs(price - reference)
        self.rows.append((when.ts, when.session, i, quantity, price, reference, commission, paid, realised))

    def _whole(self, quantity: float) -> float:
        if self.settings.fractional:
            return quantity
        return float(math.floor(quantity)) if math.isfinite(quantity) else 0.0

    def _realise(self, i: int, quantity: float, flow: float) -> float:
        """Move the position's cost basis (average cost); return the profit of the part that closes, NaN for none."""
        held = self.shares[i]
        if held * quantity >= 0:
            self.basis[i] -= flow
            return NONE
        closed = min(abs(quantity), abs(held))
        of_position, of_fill = closed / abs(held), closed / abs(quantity)
        realised = of_fill * flow - of_position * self.basis[i]
        self.basis[i] = self.basis[i] * (1.0 - of_position) - (1.0 - of_fill) * flow
        return realised
