"""The accounts during a pass over bars, in plain floats, every operation in a stated order.

The order matters to the last bit, and an oracle must be able to follow it:
1. actions of the bar, dividends before splits, then by column: cash += shares x amount; shares, order x ratio.
2. fills at the open, sells before buys, each by column: price = open x (1 -/+ slippage), value = |quantity| x price,
   commission = value x rate, cash += value - commission or cash -= value + commission.
   An account whose buys cost more than its power (cash + (leverage - 1) x equity at the open, after the sells) scales
   them all by power / cost. What is cut off is kept as an order only while a sale of that account still waits.
3. equity at the close = cash + (0 + shares[0] x close[0] + shares[1] x close[1] + ...), by the last known close where
   there is none; for sleeves the sum of cash[i] + shares[i] x close[i].
4. decisions: order = weight x equity / close - shares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tapedeck.engine.settings import EngineSettings
from tapedeck.engine.state import SPLIT, EngineState

NONE = math.nan
DUST = 1e-9  # of the starting cash: less is no money to buy with


@dataclass(frozen=True)
class Open:
    """The open of a bar: `prices` by column, NaN where the symbol has no bar."""

    ts: int
    session: int
    prices: list[float]


class Books:
    """Cash, holdings and orders; `rows` collects the fills as tuples in the order of `fills.RECORD`."""

    def __init__(self, state: EngineState) -> None:
        self.settings: EngineSettings = state.settings
        self.slippage = state.settings.slippage_bps / 10_000
        self.commission = state.settings.commission_bps / 10_000
        width = len(state.symbols)
        self.account = list(range(width)) if state.settings.accounts == "sleeves" else [0] * width
        self.cash: list[float] = state.cash.tolist()
        self.shares: list[float] = state.shares.tolist()
        self.basis: list[float] = state.basis.tolist()
        self.pending: list[float] = state.pending.tolist()
        self.unsized = [bool(flag) for flag in state.unsized]
        self.decided: list[float] = state.decided.tolist()
        self.rows: list[tuple[float, ...]] = []

    def put_back(self, state: EngineState) -> None:
        """Write the accounts into the state."""
        for name in ("cash", "shares", "basis", "pending", "unsized", "decided"):
            getattr(state, name)[:] = getattr(self, name)

    @property
    def busy(self) -> bool:
        """Whether an order or a target waits, so that the next bar has to be looked at."""
        return any(self.unsized) or not all(map(math.isnan, self.pending))

    def act(self, kind: int, column: int, value: float) -> None:
        """Apply a dividend or a split."""
        if kind == SPLIT:
            self.shares[column] *= value
            if self.settings.size_at == "decision":
                self.pending[column] *= value
        elif self.shares[column]:
            self.cash[self.account[column]] += self.shares[column] * value

    def equity(self, prices: list[float]) -> list[float]:
        """Return each account's equity at `prices`; those of symbols not held may be NaN."""
        if self.settings.accounts == "sleeves":
            held = zip(self.cash, self.shares, prices, strict=True)
            return [cash + (quantity * price if quantity else 0.0) for cash, quantity, price in held]
        total = 0.0
        for quantity, price in zip(self.shares, prices, strict=True):
            if quantity:
                total += quantity * price
        return [self.cash[0] + total]

    def fill(self, now: Open, marks: list[float]) -> None:
        """Fill the waiting orders of the symbols that have an open; `marks` values those that have none."""
        waiting = [i for i, order in enumerate(self.pending) if not math.isnan(order)]
        prices = [mark if math.isnan(price) else price for price, mark in zip(now.prices, marks, strict=True)]
        equity = self.equity(prices)
        wanted = {i: self._wanted(i, prices[i], equity) for i in waiting}
        ready = [i for i in waiting if not math.isnan(now.prices[i])]
        unpaid = {self.account[i] for i in waiting if math.isnan(now.prices[i]) and wanted[i] < 0}
        for i in ready:
            if wanted[i] < 0:
                self._trade(now, i, wanted[i])
            if wanted[i] <= 0:
                self.pending[i] = NONE
        self._buy(now, {i: wanted[i] for i in ready if wanted[i] > 0}, equity, unpaid)

    def _buy(self, now: Open, wanted: dict[int, float], equity: list[float], unpaid: set[int]) -> None:
        """Fill buys as far as each account's power reaches; `unpaid` accounts have a sale that still waits."""
        cost: dict[int, float] = {}
        for i, quantity in wanted.items():
            value = quantity * (now.prices[i] * (1.0 + self.slippage))
            cost[self.account[i]] = cost.get(self.account[i], 0.0) + (value + value * self.commission)
        credit = self.settings.leverage - 1.0
        power = {account: self.cash[account] + (credit * equity[account] if credit else 0.0) for account in cost}
        for i, quantity in wanted.items():
            account, bought = self.account[i], quantity
            whole = cost[account] <= power[account]
            if not whole:
                share = power[account] / cost[account] if power[account] > DUST * self.settings.cash else 0.0
                bought = quantity * share if self.settings.fractional else float(math.floor(quantity * share))
            if bought > 0:
                self._trade(now, i, bought)
            if whole or account not in unpaid:
                self.pending[i] = NONE
            elif self.settings.size_at == "decision":
                self.pending[i] = quantity - bought

    def _wanted(self, i: int, price: float, equity: list[float]) -> float:
        """Return the shares to trade for the waiting order of column `i`, negative to sell."""
        if self.settings.size_at == "decision":
            return self.pending[i]
        return self._size(i, self.pending[i], price, equity)

    def _size(self, i: int, weight: float, price: float, equity: list[float]) -> float:
        if weight == 0:
            return -self.shares[i]
        shares = weight * max(equity[self.account[i]], 0.0) / price
        if not self.settings.fractional and math.isfinite(shares):
            shares = float(math.trunc(shares))
        return shares - self.shares[i]

    def _trade(self, now: Open, i: int, quantity: float) -> None:
        reference = now.prices[i]
        price = reference * (1.0 + self.slippage) if quantity > 0 else reference * (1.0 - self.slippage)
        value = abs(quantity) * price
        commission = value * self.commission
        flow = value - commission if quantity < 0 else -(value + commission)
        self.cash[self.account[i]] += flow
        realised = self._realise(i, quantity, flow)
        self.shares[i] += quantity
        slippage = abs(quantity) * abs(price - reference)
        self.rows.append((now.ts, now.session, i, quantity, price, reference, commission, slippage, realised))

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

    def decide(
        self, bar: int, columns: list[int], targets: list[float], marks: list[float], equity: list[float]
    ) -> None:
        """Turn this bar's new targets, and those that waited for a first price, into orders for the next bar."""
        for i in columns:
            self.unsized[i], self.decided[i] = True, bar
        for i in [i for i, flag in enumerate(self.unsized) if flag]:
            if self.settings.size_at == "fill":
                self.pending[i] = targets[i]
            else:
                order = self._size(i, targets[i], marks[i], equity)
                if math.isnan(order):
                    continue  # no price is known yet
                self.pending[i] = order if order else NONE
            self.unsized[i], self.decided[i] = False, bar
