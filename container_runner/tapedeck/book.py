"""What a strategy by bars holds in its hands: the bar of all symbols, and the book that takes its orders."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from tapedeck.engine import orders
from tapedeck.engine.orders import Order
from tapedeck.engine.settings import EngineError
from tapedeck.suggest import did_you_mean

if TYPE_CHECKING:
    from tapedeck.bars import Array
    from tapedeck.on_bar import View

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_ZERO = date(1970, 1, 1)


class OrderError(EngineError):
    """An order that no broker would take; the message names the symbol and says why."""


class Quote(NamedTuple):
    """A symbol's bar. Prices and volume are raw, as a broker shows them and as orders take them.

    `signal` is the close as `bars.close` has it at the other levels: adjusted for splits forward from the run's start.
    """

    open: float
    high: float
    low: float
    close: float
    volume: float
    signal: float


class Bar(dict[str, Quote]):
    """The symbols that traded at this time step: ``bar["AAPL"].close``, ``"AAPL" in bar``."""

    __slots__ = ("_kept", "_view")

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view
        self._kept = -1  # the row, once the strategy has gone on

    def keep(self) -> Bar:
        """Stay what it is while the strategy goes on; return the bar that goes with it."""
        self._kept = self._row
        return Bar(self._view)

    @property
    def _row(self) -> int:
        return self._view.at() if self._kept < 0 else self._kept

    def __missing__(self, symbol: str) -> Quote:
        """Say why there is no such bar."""
        self._view.column(symbol)
        raise KeyError(f"{symbol} did not trade at {self.time:%Y-%m-%d %H:%M} UTC: ask whether {symbol!r} in bar")

    @property
    def time(self) -> datetime:
        """The bar's start, UTC."""
        return _EPOCH + timedelta(microseconds=int(self._view.bars.ts[self._row]))

    @property
    def session(self) -> date:
        """The session's date."""
        return _DAY_ZERO + timedelta(days=int(self._view.bars.session[self._row]))

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols of the run, whether they traded at this bar or not."""
        return self._view.bars.symbols

    def history(self, bars: int, symbol: str | None = None, field: str = "close") -> Array:
        """Return the last values of a field up to this bar, adjusted like `Quote.signal`; NaN without a trade.

        Shape (bars, symbols), or (bars,) of one symbol; fewer where the data begins. Raises `ValueError` for more than
        `lookback()` + 1 bars.
        """
        return self._view.history(self._row, bars, symbol, field)


class Book:
    """Cash, positions and open orders; takes orders, which live from the next bar on. Shares and raw prices."""

    def __init__(self, view: View) -> None:
        self._view = view

    @property
    def cash(self) -> float:
        """Cash after this bar's fills; negative where leverage was used."""
        return sum(self._view.broker.cash)

    @property
    def equity(self) -> float:
        """Cash and holdings at the last known closes."""
        return sum(self._view.broker.equity(self._view.marks()))

    @property
    def positions(self) -> dict[str, float]:
        """Shares held by symbol, negative for a short; symbols without a position are left out."""
        held = zip(self._view.bars.symbols, self._view.broker.shares, strict=True)
        return {symbol: shares for symbol, shares in held if shares}

    def position(self, symbol: str) -> float:
        """Return the shares held of a symbol, negative for a short, 0.0 for none."""
        return self._view.broker.shares[self._view.column(symbol)]

    @property
    def orders(self) -> Mapping[int, Order]:
        """Open orders by id, as they are now: cancelling while going through them is fine."""
        return MappingProxyType(dict(self._view.broker.orders))

    def buy(
        self,
        symbol: str,
        shares: float,
        *,
        limit: float | None = None,
        stop: float | None = None,
        tif: str = "GTC",
        instead_of: int | None = None,
    ) -> int:
        """Ask to buy: at the market, or with `limit`, `stop` or both (stop-limit), raw prices. Return the order's id.

        `tif`: "GTC", or "DAY" for the session of the next bar only. `instead_of`: an open order that is the
        alternative: the first fill of either cancels the other. Raises `OrderError`.
        """
        return self._ask("buy", symbol, self._shares("buy", symbol, shares), limit, stop, tif, instead_of)

    def sell(
        self,
        symbol: str,
        shares: float,
        *,
        limit: float | None = None,
        stop: float | None = None,
        tif: str = "GTC",
        instead_of: int | None = None,
    ) -> int:
        """Ask to sell, short where less is held; see `buy`."""
        return self._ask("sell", symbol, -self._shares("sell", symbol, shares), limit, stop, tif, instead_of)

    def target_weight(self, symbol: str, weight: float) -> int:
        """Ask at the market for a position worth `weight` of the equity; replaces the symbol's waiting market orders.

        Raises `OrderError` for a weight that is no number and for a symbol that has no price yet.
        """
        return self._target("target_weight", orders.TARGET_WEIGHT, symbol, weight)

    def target_shares(self, symbol: str, shares: float) -> int:
        """Ask at the market for a position of `shares`; replaces the symbol's waiting market orders."""
        return self._target("target_shares", orders.TARGET_SHARES, symbol, shares)

    def close(self, symbol: str) -> int:
        """Ask at the market for no position."""
        return self.target_shares(symbol, 0.0)

    def cancel(self, order: int) -> None:
        """Cancel an open order by its id; one that is filled or over already is left alone."""
        if isinstance(order, bool) or not isinstance(order, int) or not 0 < order <= self._view.broker.issued:
            raise OrderError(f"cancel({order!r}): this run has given out no such order id")
        self._view.ask(orders.CANCEL, 0, 0, order, 0.0, 0.0, 0.0)

    def cancel_all(self, symbol: str | None = None) -> None:
        """Cancel all open orders, or those of one symbol."""
        column = None if symbol is None else self._view.column(symbol)
        for order in list(self._view.broker.orders.values()):
            if column in (None, order.column):
                self.cancel(order.id)

    def _ask(  # noqa: PLR0917 - the arguments of buy and sell, in their order
        self,
        name: str,
        symbol: str,
        quantity: float,
        limit: float | None,
        stop: float | None,
        tif: str,
        instead_of: int | None,
    ) -> int:
        call = f"{name}({symbol!r})"
        column = self._view.column(symbol)
        if tif not in ("GTC", "DAY"):
            raise OrderError(f'{call}: tif is "GTC" or "DAY", not {tif!r}')
        if instead_of is not None and instead_of not in self._view.broker.orders:
            raise OrderError(f"{call}: instead_of={instead_of!r} is no open order")
        kind = (orders.LIMIT if stop is None else orders.STOP_LIMIT) if limit is not None else orders.STOP
        if limit is None and stop is None:
            kind = orders.MARKET
        prices = _price(call, "limit", limit), _price(call, "stop", stop)
        force = orders.DAY if tif == "DAY" else orders.GTC
        return self._view.ask(kind, column, force, instead_of or 0, quantity, *prices)

    def _shares(self, name: str, symbol: str, shares: float) -> float:
        call = f"{name}({symbol!r}, {shares!r})"
        try:
            number = float(shares)
        except (TypeError, ValueError):
            raise OrderError(f"{call}: the number of shares is no number") from None
        if not 0 < number <= orders.MOST:
            raise OrderError(f"{call}: the number of shares is positive and at most {orders.MOST:g}")
        self._view.check_lots(call, number)
        return number

    def _target(self, name: str, kind: int, symbol: str, value: float) -> int:
        column = self._view.column(symbol)
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not abs(number) <= orders.MOST:
            raise OrderError(f"{name}({symbol!r}, {value!r}): the target is a number of at most {orders.MOST:g}")
        if kind == orders.TARGET_SHARES:
            self._view.check_lots(f"{name}({symbol!r}, {value!r})", number)
        return self._view.ask(kind, column, orders.GTC, 0, number, 0.0, 0.0)


def unknown(symbol: object, known: tuple[str, ...]) -> OrderError:
    """Return the error for a symbol that is not in the run."""
    return OrderError(f"{symbol!r} is not in this run{did_you_mean(str(symbol), known)}")


def _price(call: str, name: str, price: float | None) -> float:
    if price is None:
        return 0.0
    try:
        number = float(price)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number <= orders.MOST:
        raise OrderError(f"{call}: {name}={price!r} is no price: it is positive and at most {orders.MOST:g}")
    return number
