"""The accounts during a pass over bars and weights, in plain floats, every operation in a stated order.

The order matters to the last bit, and an oracle must be able to follow it:
0. what the time since the last bar brought, as `ledger` states it.
1. actions of the bar, dividends before splits, then by column: cash += shares x amount; shares, order x ratio.
2. fills at the open: margin calls, which end the orders of their account; then sells before buys, each by column,
   priced and scaled as `ledger` states. What is cut off a buy for lack of cash is kept as an order only while a sale of
   that account still waits; what the bar's volume leaves over is kept always.
3. equity at the close = cash + (0 + shares[0] x close[0] + shares[1] x close[1] + ...), by the last known close where
   there is none; for sleeves the sum of cash[i] + shares[i] x close[i].
4. decisions: order = weight x equity / close - shares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tapedeck.engine.costs import UNFILLED
from tapedeck.engine.ledger import NONE, Buy, Ledger, When
from tapedeck.engine.state import SPLIT, EngineState


@dataclass(slots=True)
class Open(When):
    """The open of a bar: `prices` by column, NaN where the symbol has no bar; `volumes`, empty if of no matter."""

    prices: list[float]
    volumes: list[float]


class Books(Ledger):
    """Cash, holdings and the order that waits for each symbol."""

    def __init__(self, state: EngineState) -> None:
        held = (getattr(state, name).tolist() for name in ("cash", "shares", "basis", "carried"))
        super().__init__(state.settings, state.symbols, *held)
        self.pending: list[float] = state.pending.tolist()
        self.accrued: list[float] = state.accrued.tolist()
        self.unsized = [bool(flag) for flag in state.unsized]
        self.decided: list[float] = state.decided.tolist()

    def put_back(self, state: EngineState) -> None:
        """Write the accounts into the state."""
        for name in ("cash", "shares", "basis", "carried", "pending", "accrued", "unsized", "decided"):
            getattr(state, name)[:] = getattr(self, name)

    @property
    def busy(self) -> bool:
        """Whether an order, a target or the margin waits, so that the next bar has to be looked at."""
        return any(self.unsized) or self.watches or not all(map(math.isnan, self.pending))

    def act(self, kind: int, column: int, value: float) -> None:
        """Apply a dividend or a split."""
        if kind == SPLIT:
            self.shares[column] *= value
            if self.settings.size_at == "decision":
                self.pending[column] *= value
        elif self.shares[column]:
            self.cash[self.account[column]] += self.shares[column] * value

    def fill(self, now: Open, marks: list[float]) -> None:
        """Fill the waiting orders of the symbols that have an open; `marks` values those that have none."""
        opens = self.market(now.prices, now.volumes)
        called = self.called
        for i in [i for i, account in enumerate(self.account) if account in called]:
            self._rest(i, 0.0)
            self.unsized[i] = False
        self.obey(now, opens)
        waiting = [i for i, order in enumerate(self.pending) if not math.isnan(order)]
        prices = [mark if math.isnan(price) else price for price, mark in zip(opens, marks, strict=True)]
        equity = self.equity(prices)
        wanted = {i: self._wanted(i, prices[i], equity) for i in waiting}
        ready = [i for i in waiting if not math.isnan(opens[i])]
        unpaid = {self.account[i] for i in waiting if math.isnan(opens[i]) and wanted[i] < 0}
        for i in [i for i in ready if wanted[i] <= 0]:
            sold = self.taken(i, wanted[i])
            if sold:
                self.accrued[i] = self.trade(now, i, sold, opens[i], accrued=self.accrued[i])
            if self._rest(i, wanted[i] - sold):
                unpaid.add(self.account[i])
        self._buy(now, opens, {i: wanted[i] for i in ready if wanted[i] > 0}, equity, unpaid)

    def _buy(
        self, now: Open, opens: list[float], wanted: dict[int, float], equity: list[float], unpaid: set[int]
    ) -> None:
        """Fill buys as far as volume and each account's power reach; `unpaid` accounts have a sale that still waits."""
        taken = {i: self.taken(i, quantity) for i, quantity in wanted.items()}
        buys = {i: Buy(i, quantity, self.priced(i, quantity, opens[i])) for i, quantity in taken.items() if quantity}
        bought, cut = self.afford(buys, equity)
        for i, quantity in wanted.items():
            got = bought.get(i, 0.0)
            if got > 0:
                self.accrued[i] = self.trade(now, i, got, opens[i], accrued=self.accrued[i])
            over = i in cut and self.account[i] not in unpaid
            self._rest(i, 0.0 if over else quantity - got)

    def _rest(self, i: int, quantity: float) -> bool:
        """Keep what an order has not filled; say whether that is anything."""
        if not quantity:
            self.pending[i], self.accrued[i] = NONE, UNFILLED
        elif self.settings.size_at == "decision":
            self.pending[i] = quantity
        return bool(quantity)

    def _wanted(self, i: int, price: float, equity: list[float]) -> float:
        """Return the shares to trade for the waiting order of column `i`, negative to sell."""
        if self.settings.size_at == "decision":
            return self.pending[i]
        return self.size(i, self.pending[i], price, equity)

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
                order = self.size(i, targets[i], marks[i], equity)
                if math.isnan(order):
                    continue  # no price is known yet
                self.pending[i] = order if order else NONE
            self.unsized[i], self.decided[i], self.accrued[i] = False, bar, UNFILLED
