"""Accounts, holdings and fills in plain floats: the arithmetic that weights and orders share, in a stated order.

A bar begins by what happened to the accounts since the last one: at a new session interest, then the fee for borrowed
shares; then the margin is looked at (`begin`). What an account has to sell goes before all orders (`obey`).

price = reference x (1 -/+ slippage), value = |quantity| x price, commission = value x rate (`costs` has the rest);
cash += value - commission for a sale, cash -= value + commission for a buy. An account whose buys cost more than its
power, cash + (leverage - 1) x equity, scales them all by (power - commission minimums) / cost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tapedeck.engine import costs, fills, margin
from tapedeck.engine.carry import BorrowFee, Interest
from tapedeck.engine.costs import UNFILLED
from tapedeck.engine.liquidity import Halts, Lots, VolumeCap
from tapedeck.engine.margin import Margin, MarginCall
from tapedeck.engine.settings import EngineSettings, PriceError, SizeError

NONE = math.nan
DUST = 1e-9  # of the starting cash: less is no money to buy with
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


def _at(when: When) -> str:
    return f"at bar {_EPOCH + timedelta(microseconds=when.ts):%Y-%m-%d %H:%M} UTC"


class Ledger:
    """Cash, shares and cost basis; `rows` collects the fills.

    `carried`: fees paid for borrowed shares and interest received, of the run so far. `calls`: the margin calls of this
    pass. `called`: the accounts that are below their maintenance margin at this bar.
    """

    def __init__(  # noqa: PLR0917 - the parts of a state
        self,
        settings: EngineSettings,
        symbols: Sequence[str],
        cash: list[float],
        shares: list[float],
        basis: list[float],
        carried: list[float],
    ) -> None:
        self.settings = settings
        self.symbols = tuple(symbols)
        self.cash, self.shares, self.basis, self.carried = cash, shares, basis, carried
        self.sleeves = settings.accounts == "sleeves"
        self.account = list(range(len(shares))) if self.sleeves else [0] * len(shares)
        self.commission, self.slippage = costs.commission(settings), costs.slippage(settings)
        self.lots, self.cap, self.halts = Lots(settings.lot), VolumeCap(settings.volume_cap), Halts(settings.by_volume)
        self.margin = Margin(settings.maintenance_margin, settings.leverage)
        self.rows = fills.Tape()
        self.calls: list[MarginCall] = []
        self._forced = 0  # trades of `calls`
        self._borrow = BorrowFee(settings.borrow_fee_annual)
        self._interest = Interest(settings.interest_credit_annual, settings.interest_debit_annual)
        self.called: dict[int, tuple[float, float, float]] = {}  # account -> part kept, equity, value held
        self._volumes: list[float] = []  # of the bar under way; empty where they do not matter
        self._left: list[float] = []  # shares that the bar still takes; empty without a cap

    @property
    def watches(self) -> bool:
        """Whether the margin has to be looked at before the next bar."""
        return bool(self.called) or (self.margin.maintenance > 0 and any(self.shares))

    def begin(self, days: int, marks: list[float]) -> None:
        """Begin a bar, `days` after the last one's session, whose closes were `marks`: carry, margin."""
        if days and self.settings.carries:
            self._carry(days, marks)
        self.called.clear()
        if self.margin.maintenance:
            for account, (equity, held) in enumerate(zip(self.equity(marks), self._held(marks), strict=True)):
                kept = self.margin.kept(equity, held)
                if kept < 1.0:
                    self.called[account] = kept, equity, held

    def market(self, opens: list[float], volumes: list[float]) -> list[float]:
        """Note what a bar's market takes; return the opens at which it trades, NaN where it does not."""
        opens = self.halts.opens(opens, volumes)
        self._volumes = volumes
        self._left = [self.cap.shares(volume, self.lots) for volume in volumes] if self.cap.share else []
        return opens

    def obey(self, when: When, opens: list[float]) -> None:
        """Sell at the open what called accounts must, long before short, by column; what does not trade stays.

        Raises what `trade` raises, and `LimitError` for more such trades than a run may have.
        """
        for account, (kept, equity, held) in self.called.items():
            columns = [i for i, of in enumerate(self.account) if of == account and self.shares[i]]
            first = len(self.rows)
            for i in sorted(columns, key=lambda i: (self.shares[i] < 0, i)):
                over = self.lots.up(self.shares[i] * (1.0 - kept))
                quantity = -self.taken(i, over if abs(over) < abs(self.shares[i]) else self.shares[i])
                if quantity and not math.isnan(opens[i]):
                    self.trade(when, i, quantity, opens[i])
            traded = tuple((int(row[2]), row[3], row[4]) for row in self.rows.since(first))
            if traded:
                self._forced += len(traded)
                margin.check_count(self._forced)
                self.calls.append(MarginCall(when.ts, when.session, account, equity, held, traded))

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
        """Return the shares to trade until `weight` of the account's equity is held; NaN without a price above zero."""
        if weight == 0:
            return -self.shares[i]
        if not price > 0:
            return NONE
        return self.lots.down(weight * max(equity[self.account[i]], 0.0) / price) - self.shares[i]

    def taken(self, i: int, quantity: float, used: float = 0.0) -> float:
        """Return what the bar still takes of a quantity, which keeps its sign; `used` is promised to other orders."""
        if not self._left or abs(quantity) <= self._left[i] - used:
            return quantity
        return math.copysign(self._left[i] - used, quantity)

    def priced(self, i: int, quantity: float, reference: float, *, taking: bool = True) -> float:
        """Return the price of a trade; `taking`: with slippage, as all but limits have it."""
        return (
            self.slippage.price(reference, quantity, self._volumes[i] if self._volumes else 0.0)
            if taking
            else reference
        )

    def afford(self, buys: Mapping[int, Buy], equity: list[float]) -> tuple[dict[int, float], set[int]]:
        """Return by key the shares that each account's power pays for, and the keys that were cut back."""
        least = self.commission.minimum
        cost: dict[int, float] = {}
        reserved: dict[int, float] = {}
        for buy in buys.values():
            value = buy.quantity * buy.price
            account = self.account[buy.column]
            fee = max(self.commission.accrues(buy.quantity, value), least)
            cost[account] = cost.get(account, 0.0) + (value + fee)
            reserved[account] = reserved.get(account, 0.0) + least
        credit = self.settings.leverage - 1.0
        power = {account: self.cash[account] + (credit * equity[account] if credit else 0.0) for account in cost}
        bought, cut = {}, set()
        for key, buy in buys.items():
            account = self.account[buy.column]
            bought[key] = buy.quantity
            if not cost[account] <= power[account]:
                cut.add(key)
                free = power[account] - reserved[account]
                share = free / cost[account] if free > DUST * self.settings.cash else 0.0
                bought[key] = self._whole(buy.quantity * share)
        return bought, cut

    def trade(
        self, when: When, i: int, quantity: float, reference: float, *, taking: bool = True, accrued: float = UNFILLED
    ) -> float:
        """Book a fill of `quantity` shares, negative for a sale, at `reference`, with slippage if it is `taking`.

        `accrued`: the commission of the order so far, before its minimum; return it with this fill's, where it matters.
        Raises `PriceError` and `SizeError`, naming bar and symbol, and `LimitError` for more fills than a run may have.
        """
        if len(self.rows) >= fills.MOST:
            fills.check_count(len(self.rows) + 1)
        if reference <= 0:
            raise PriceError(f"{self.symbols[i]} has the price {reference:g} {_at(when)}: nothing trades at that")
        volume = self._volumes[i] if self._volumes else 0.0
        price = self.slippage.price(reference, quantity, volume) if taking else reference
        shares = abs(quantity)
        value = shares * price
        if not value < math.inf:
            raise SizeError(f"an order for {quantity:g} shares of {self.symbols[i]} {_at(when)} is too large")
        fee = self.commission.accrues(shares, value)
        commission = self.commission.due(fee, accrued) if self.commission.minimum else fee
        flow = value - commission if quantity < 0 else -(value + commission)
        self.cash[self.account[i]] += flow
        realised = self._realise(i, quantity, flow)
        self.shares[i] += quantity
        if self._left:
            self._left[i] -= shares
        paid = shares * abs(price - reference)
        self.rows.append((when.ts, when.session, i, quantity, price, reference, commission, paid, realised))
        return max(accrued, 0.0) + fee if self.commission.minimum else accrued

    def _held(self, marks: list[float]) -> list[float]:
        """Return the value that each account holds, long and short."""
        held = [0.0] * len(self.cash)
        for i, quantity in enumerate(self.shares):
            if quantity:
                held[self.account[i]] += abs(quantity * marks[i])
        return held

    def _carry(self, days: int, marks: list[float]) -> None:
        short = [0.0] * len(self.cash)
        for i, quantity in enumerate(self.shares):
            if quantity < 0:
                short[self.account[i]] -= quantity * marks[i]
        for account, cash in enumerate(self.cash):
            interest, fee = self._interest.due(cash, days), self._borrow.due(short[account], days)
            self.cash[account] = cash + interest - fee
            self.carried[0] += fee
            self.carried[1] += interest

    def _whole(self, quantity: float) -> float:
        if self.lots.shares and not math.isfinite(quantity):
            return 0.0
        return self.lots.down(quantity)

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
