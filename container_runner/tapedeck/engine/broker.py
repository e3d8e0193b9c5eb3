"""The broker: takes orders at the close of a bar, fills them at later bars.

A bar, in this order, so that the last bit can be followed:
0. what the time since the last bar brought, as `ledger` states it.
1. actions, dividends before splits, then by column. A split multiplies shares and open quantities and divides prices.
2. DAY orders of an earlier session end. What was asked for on the bar before lives from here on.
3. at the open: margin calls, which end all orders of their account; then market orders and targets, sells before
   buys, each by column and id; buys that cost more than the account's power are scaled together.
4. within the bar, whose path is unknown: stops first, then limits (the worse first); in each, sells before buys, by id.
A buy that is cut back for lack of cash is over, unless a market sale of the same account still waits for its symbol.
What the bar's volume leaves over of an order waits for the next bar; of a stop, as a market order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from tapedeck.engine.ledger import Buy, Ledger, When
from tapedeck.engine.order_state import OrderState
from tapedeck.engine.orders import CANCEL, DAY, KINDS, LIMIT, MOST_OPEN, TARGET_SHARES, TARGET_WEIGHT, Ask, Order
from tapedeck.engine.settings import EngineError
from tapedeck.engine.state import SPLIT

Prices = Sequence[float]  # open, high, low, close ... of a symbol; NaN without a trade
_OPEN, _HIGH, _LOW, _CLOSE, _VOLUME = range(5)
_AT_OPEN = ("market", "target_weight")
_HALTED: Prices = (math.nan,) * 5
_TRIGGERED = {"stop": "market", "stop_limit": "limit"}  # what the rest of an order is, once a bar has reached it


class Broker(Ledger):
    """Accounts and open orders during a pass; `orders` maps ids to what waits, in the order of ids."""

    def __init__(self, state: OrderState) -> None:
        held = (getattr(state, name).tolist() for name in ("cash", "shares", "basis", "carried"))
        super().__init__(state.settings, state.symbols, *held)
        self.issued = state.issued
        self.orders: dict[int, Order] = {order.id: order for order in state.orders}
        self._woken = -1  # the session whose orders are awake
        settings = state.settings
        self._plain = settings.leverage == 1.0 and not settings.by_volume and not settings.maintenance_margin

    def put_back(self, state: OrderState) -> None:
        """Write accounts and orders into the state."""
        for name in ("cash", "shares", "basis", "carried"):
            getattr(state, name)[:] = getattr(self, name)
        state.issued, state.orders = self.issued, list(self.orders.values())

    def act(self, kind: int, column: int, value: float) -> None:
        """Apply a dividend or a split."""
        if kind != SPLIT:
            if self.shares[column]:
                self.cash[self.account[column]] += self.shares[column] * value
            return
        self.shares[column] *= value
        for order in list(self.orders.values()):
            if order.column == column:
                shares = order.quantity if order.kind == "target_weight" else order.quantity * value
                self.orders[order.id] = order._replace(
                    quantity=shares, limit=order.limit / value, stop=order.stop / value
                )

    def take(self, ask: Ask, marks: list[float]) -> int:
        """Take a record; `marks` are the last known closes. Return the order's id, 0 for a cancel.

        Raises `EngineError`, and has changed nothing, for a target weight of a symbol that has no price yet and for
        more open orders than `orders.MOST_OPEN`.
        """
        bar, kind, column, tif, _, ref, quantity, limit, stop = ask
        if kind == CANCEL:
            self.orders.pop(ref, None)
            return 0
        name = KINDS[kind]
        if len(self.orders) >= MOST_OPEN:
            raise EngineError(f"there are {MOST_OPEN:,} open orders already: cancel some")
        if kind in (TARGET_WEIGHT, TARGET_SHARES):
            name, quantity = self._sized(kind, column, quantity, marks)
            if self.orders:
                self._replace_target(column)
        group = self._group(ref) if ref else 0
        self._woken = -1
        self.issued += 1
        if quantity or name == "target_weight":
            force = "DAY" if tif == DAY else "GTC"
            symbol = self.symbols[column]
            self.orders[self.issued] = Order(
                self.issued, symbol, name, quantity, limit, stop, force, group, bar, -1, column
            )
        return self.issued

    def open(self, when: When, quotes: Sequence[Prices], marks: Callable[[], list[float]]) -> None:
        """Fill what a bar fills; `quotes` by column, `marks` tells the last known closes of what does not trade."""
        if self._plain and len(self.orders) == 1 and self._alone(when, quotes):
            return
        if when.session != self._woken:
            self._wake(when.session)
        volumes: list[float] = []
        if self.settings.by_volume:
            volumes = [quote[_VOLUME] for quote in quotes]
            quotes = [quote if quote[_VOLUME] > 0 else _HALTED for quote in quotes]
        called = self.called
        if not called and not any(
            o.kind in _AT_OPEN or _touched(o, quotes[o.column]) is not None for o in self.orders.values()
        ):
            return
        opens = self.market([_open(quote) for quote in quotes], volumes)
        if called:
            for order in [o for o in self.orders.values() if self.account[o.column] in called]:
                del self.orders[order.id]
            self.obey(when, opens)
        prices, equity = self._valued(opens, marks)
        waiting = sorted((o for o in self.orders.values() if o.kind in _AT_OPEN), key=lambda o: (o.column, o.id))
        wanted = {o.id: self._wanted(o, prices, equity) for o in waiting}
        unpaid = {self.account[o.column] for o in waiting if math.isnan(opens[o.column]) and wanted[o.id] < 0}
        ready = [o for o in waiting if not math.isnan(opens[o.column])]
        for order in ready:
            if wanted[order.id] < 0 and order.id in self.orders:
                if self._sell(when, order, wanted[order.id], opens[order.column]):  # a rest of it waits
                    unpaid.add(self.account[order.column])
            elif wanted[order.id] == 0:
                self.orders.pop(order.id, None)
        self._buy(when, [o for o in ready if wanted[o.id] > 0], wanted, prices, equity, unpaid)
        resting = [o for o in self.orders.values() if o.kind not in _AT_OPEN and not math.isnan(opens[o.column])]
        resting.sort(key=lambda o: (o.kind == "limit", o.quantity > 0, o.id))
        for order in resting:
            self._within(when, order, quotes[order.column], equity, unpaid)

    def _alone(self, when: When, quotes: Sequence[Prices]) -> bool:
        """Fill the only order there is, if it is new and at the market, as `open` would; say whether it was."""
        (order,) = self.orders.values()
        price = _open(quotes[order.column])
        if order.kind != "market" or order.session >= 0 or math.isnan(price):
            return False
        if order.quantity < 0:
            self._sell(when, order, order.quantity, price)
        else:
            self._buy(when, [order], {order.id: order.quantity}, {order.column: price}, [], set())
        return True

    def _valued(self, opens: list[float], marks: Callable[[], list[float]]) -> tuple[list[float], list[float]]:
        """Return opens, or last closes where there is none, and each account's equity by them, where that matters."""
        if self.settings.leverage == 1.0 and self.settings.size_at == "decision":
            return opens, []
        prices = [mark if math.isnan(price) else price for price, mark in zip(opens, marks(), strict=True)]
        return prices, self.equity(prices)

    def _within(self, when: When, order: Order, quote: Prices, equity: list[float], unpaid: set[int]) -> None:
        """Fill a resting order if the bar reaches it."""
        price = _touched(order, quote)
        if price is None or order.id not in self.orders:
            return  # not reached, or an alternative of it has just been filled
        if order.kind == "stop_limit" and not _within_limit(order, price):
            self.orders[order.id] = order._replace(kind=KINDS[LIMIT])  # triggered: from the next bar on
            return
        taking = order.kind == "stop"
        if order.quantity < 0:
            self._sell(when, order, order.quantity, price, taking=taking)
        else:
            prices = {order.column: price}
            self._buy(when, [order], {order.id: order.quantity}, prices, equity, unpaid, taking=taking)

    def _sell(self, when: When, order: Order, quantity: float, price: float, *, taking: bool = True) -> bool:
        """Fill a sale as far as volume reaches; say whether a rest of it waits."""
        sold, accrued = self.taken(order.column, quantity), order.accrued
        if sold:
            accrued = self.trade(when, order.column, sold, price, taking=taking, accrued=accrued)
        return self._rest(order, quantity - sold, accrued, filled=bool(sold))

    def _buy(  # noqa: PLR0917 - one bar's facts
        self,
        when: When,
        orders: Iterable[Order],
        wanted: dict[int, float],
        prices: Sequence[float] | dict[int, float],
        equity: list[float],
        unpaid: set[int],
        *,
        taking: bool = True,
    ) -> None:
        """Fill buys as far as volume and each account's power reach; `unpaid` accounts have a sale that still waits."""
        known = {order.id: order for order in orders if order.id in self.orders}
        buys: dict[int, Buy] = {}
        used: dict[int, float] = {}
        for key, order in known.items():
            i, price = order.column, prices[order.column]
            shares = self.taken(i, wanted[key], used.get(i, 0.0))
            if shares:
                used[i] = used.get(i, 0.0) + shares
                buys[key] = Buy(i, shares, self.priced(i, shares, price, taking=taking))
        bought, cut = self.afford(buys, equity)
        for key, order in known.items():
            if key not in self.orders:
                continue  # an alternative of it has just been filled
            got, accrued = bought.get(key, 0.0), order.accrued
            if got > 0:
                accrued = self.trade(when, order.column, got, prices[order.column], taking=taking, accrued=accrued)
            over = key in cut and self.account[order.column] not in unpaid
            self._rest(order, 0.0 if over else wanted[key] - got, accrued, filled=got > 0)

    def _rest(self, order: Order, quantity: float, accrued: float, *, filled: bool) -> bool:
        """Keep what an order has not filled, say whether that is anything; a fill ends the order's alternatives."""
        if order.group and filled:
            for other in [o.id for o in self.orders.values() if o.group == order.group and o.id != order.id]:
                del self.orders[other]
        if not quantity:
            self.orders.pop(order.id, None)
            return False
        kind = _TRIGGERED.get(order.kind, order.kind) if self.cap.share else order.kind
        rest = order.quantity if kind == "target_weight" else quantity
        self.orders[order.id] = order._replace(kind=kind, quantity=rest, accrued=accrued)
        return True

    def _wake(self, session: int) -> None:
        """Note the first session of new orders; end the DAY orders of an earlier one."""
        self._woken = session
        for order in list(self.orders.values()):
            if order.session < 0:
                self.orders[order.id] = order._replace(session=session)
            elif order.tif == "DAY" and session > order.session:
                del self.orders[order.id]

    def _wanted(self, order: Order, prices: list[float], equity: list[float]) -> float:
        if order.kind == "target_weight":
            return self.size(order.column, order.quantity, prices[order.column], equity)
        return order.quantity

    def _sized(self, kind: int, column: int, quantity: float, marks: list[float]) -> tuple[str, float]:
        """Return kind and quantity of a target's order; a weight that is sized at the fill stays one."""
        if kind == TARGET_SHARES:
            return "market", quantity - self.shares[column]
        if self.settings.size_at == "fill":
            return "target_weight", quantity
        shares = self.size(column, quantity, marks[column], self.equity(marks))
        if math.isnan(shares):
            raise EngineError(f"{self.symbols[column]} has not traded yet: there is no price to size a weight by")
        return "market", shares

    def _replace_target(self, column: int) -> None:
        """Drop the symbol's waiting market orders: a new target replaces what is not filled of older ones."""
        for order in list(self.orders.values()):
            if order.column == column and order.kind in _AT_OPEN:
                del self.orders[order.id]

    def _group(self, ref: int) -> int:
        """Return the group of an order that is the alternative of the open order `ref`; 0 = none."""
        other = self.orders.get(ref)
        if other is None:
            return 0
        if not other.group:
            self.orders[ref] = other._replace(group=ref)
        return ref if not other.group else other.group


def _open(quote: Prices) -> float:
    """Return a symbol's open, NaN unless it traded."""
    return math.nan if math.isnan(quote[_CLOSE]) else quote[_OPEN]


def _touched(order: Order, quote: Prices) -> float | None:
    """Return the price at which a bar fills a limit order or triggers a stop; None when it does not reach it.

    Without a trade every price is NaN, which reaches nothing.
    """
    buys = order.quantity > 0
    if order.kind == "limit":
        reached = quote[_LOW] <= order.limit if buys else quote[_HIGH] >= order.limit
        better = min if buys else max
        return better(quote[_OPEN], order.limit) if reached else None
    reached = quote[_HIGH] >= order.stop if buys else quote[_LOW] <= order.stop
    worse = max if buys else min
    return worse(quote[_OPEN], order.stop) if reached else None


def _within_limit(order: Order, price: float) -> bool:
    return price <= order.limit if order.quantity > 0 else price >= order.limit
