"""What an `on_bar` that is compiled holds in its hands: numbers and arrays by column, and a book that takes requests.

The functions here run as they are in plain Python and are what Numba compiles (`tapedeck.compiling`): they use nothing
but numbers, arrays and named tuples of them. A request becomes an order by `tapedeck.book.Book`, outside.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tapedeck.engine.inputs import Block
from tapedeck.fields import FIELDS

Array = NDArray[np.float64]

BUY, SELL, TARGET_WEIGHT, TARGET_SHARES, CANCEL, CANCEL_ALL = range(6)
REQUEST = np.dtype(
    [
        ("kind", "<i4"),
        ("column", "<i4"),
        ("day", "<i4"),
        ("order", "<i8"),  # to cancel, or of which it is the alternative; 0 = none
        ("quantity", "<f8"),
        ("limit", "<f8"),  # NaN = none
        ("stop", "<f8"),
    ]
)
MOST = 1024  # requests on one bar


class ColumnBar(NamedTuple):
    """One time step: arrays (symbols,) in the order of the run's symbols, NaN where nothing traded.

    Prices and volume are raw; `signal` is the close adjusted as at the other levels. `history`: (bars, symbols), the
    signals up to this bar, this one last: `lookback()` + 1 of them, fewer where the data begins. `session`: days since
    1970-01-01; `ts`: the bar's start, microseconds since 1970, UTC.
    """

    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    signal: Array
    history: Array
    session: int
    ts: int


class ColumnBook(NamedTuple):
    """The book at this bar's close: `shares` and the number of orders `waiting` are arrays (symbols,).

    Requests are looked at once `on_bar` has returned; the methods are those of `tapedeck.book.Book`, by column.
    """

    cash: float
    equity: float
    shares: Array
    waiting: NDArray[np.int64]
    requests: NDArray[np.void]
    counts: NDArray[np.int64]  # requests so far; the last order id given out

    def buy(  # noqa: PLR0917 - Numba takes them by position as well
        self,
        column: int,
        shares: float,
        limit: float = math.nan,
        stop: float = math.nan,
        day: bool = False,
        instead_of: int = 0,
    ) -> int:
        """Ask to buy; return the order's id."""
        return request(self, BUY, column, shares, limit, stop, day, instead_of)

    def sell(  # noqa: PLR0917
        self,
        column: int,
        shares: float,
        limit: float = math.nan,
        stop: float = math.nan,
        day: bool = False,
        instead_of: int = 0,
    ) -> int:
        """Ask to sell; return the order's id."""
        return request(self, SELL, column, shares, limit, stop, day, instead_of)

    def target_weight(self, column: int, weight: float) -> int:
        """Ask for a position worth `weight` of the equity; return the order's id."""
        return request(self, TARGET_WEIGHT, column, weight, math.nan, math.nan, False, 0)

    def target_shares(self, column: int, shares: float) -> int:
        """Ask for a position of `shares`; return the order's id."""
        return request(self, TARGET_SHARES, column, shares, math.nan, math.nan, False, 0)

    def close(self, column: int) -> int:
        """Ask for no position; return the order's id."""
        return request(self, TARGET_SHARES, column, 0.0, math.nan, math.nan, False, 0)

    def cancel(self, order: int) -> None:
        """Cancel an open order."""
        request(self, CANCEL, 0, 0.0, math.nan, math.nan, False, order)

    def cancel_all(self, column: int = -1) -> None:
        """Cancel the open orders of a symbol; all of them without one."""
        request(self, CANCEL_ALL, column, 0.0, math.nan, math.nan, False, 0)


METHODS: dict[str, Callable[..., Any]] = {
    name: vars(ColumnBook)[name]
    for name in ("buy", "sell", "target_weight", "target_shares", "close", "cancel", "cancel_all")
}


class Chunk(NamedTuple):
    """The arrays that `drive` walks: own rows of raw fields and marks, `signal` and `history` from the history on."""

    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    signal: Array
    mark: Array
    session: NDArray[np.int32]
    ts: NDArray[np.int64]
    lookback: int


class Account(NamedTuple):
    """What the broker holds, refreshed before each stretch; `row`: (1,), where the strategy stands."""

    cash: Array  # (accounts,)
    shares: Array
    waiting: NDArray[np.int64]
    requests: NDArray[np.void]
    counts: NDArray[np.int64]
    row: NDArray[np.int64]


def chunk_of(block: Block, signal: Array, mark: Array, lookback: int) -> Chunk:
    """Return a chunk's arrays, each row contiguous."""
    fields: dict[str, Any] = {name: block.fields[name] for name in FIELDS}
    arrays = {"session": block.session, "ts": block.ts, "signal": signal, "mark": mark}
    contiguous: dict[str, Any] = {name: np.ascontiguousarray(array) for name, array in (fields | arrays).items()}
    return Chunk(**contiguous, lookback=lookback)


def request(  # noqa: PLR0917 - Numba's calls are cheapest by position
    book: Any, kind: int, column: int, quantity: float, limit: float, stop: float, day: bool, order: int
) -> int:
    """Write a request down; return the id that its order will have."""
    at = book.counts[0]
    if at == len(book.requests):
        raise IndexError("an on_bar that is compiled makes at most 1,024 requests on one bar")
    line = book.requests[at]
    line["kind"] = kind
    line["column"] = column
    line["day"] = 1 if day else 0
    line["order"] = order
    line["quantity"] = quantity
    line["limit"] = limit
    line["stop"] = stop
    book.counts[0] = at + 1
    if kind < CANCEL:
        book.counts[1] += 1
    return int(book.counts[1])


def worth(cash: Array, shares: Array, mark: Array) -> float:
    """Return what `Book.equity` does, added in the same order."""
    if len(cash) == 1:
        held = 0.0
        for i in range(len(shares)):
            if shares[i] != 0.0:
                held += shares[i] * mark[i]
        return float(cash[0] + held)
    total = 0.0
    for i in range(len(shares)):
        held = shares[i] * mark[i] if shares[i] != 0.0 else 0.0
        total += cash[i] + held
    return float(total)


def driver(step: Callable[..., Any], sum_up: Callable[..., float]) -> Callable[..., int]:
    """Return a function that takes `step` through rows until it asks for something."""

    def drive(me: Any, chunk: Chunk, account: Account, first: int, last: int) -> int:
        """Return the row at which requests were made, `last` if none was."""
        before = len(chunk.signal) - len(chunk.ts)
        total = 0.0
        for i in range(len(account.cash)):
            total += account.cash[i]
        for row in range(first, last):
            account.row[0] = row
            at = before + row
            bar = ColumnBar(
                chunk.open[row],
                chunk.high[row],
                chunk.low[row],
                chunk.close[row],
                chunk.volume[row],
                chunk.signal[at],
                chunk.signal[max(0, at - chunk.lookback) : at + 1],
                chunk.session[row],
                chunk.ts[row],
            )
            equity = sum_up(account.cash, account.shares, chunk.mark[row])
            book = ColumnBook(total, equity, account.shares, account.waiting, account.requests, account.counts)
            step(me[0], bar, book)
            if account.counts[0] > 0:
                return row
        return last

    return drive
