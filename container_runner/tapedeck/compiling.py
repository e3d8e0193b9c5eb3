"""`on_bar` compiled by Numba, where the researcher asks for it by ``@jit``: the same engine, replayed outside.

The compiled code runs from bar to bar until it asks for something or the broker has to work; orders then go through the
same `tapedeck.book.Book`. Where Numba is not installed the same functions run in plain Python, slower, with the same
decisions.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tapedeck import columns
from tapedeck.book import Book, OrderError
from tapedeck.columns import Account, Chunk
from tapedeck.engine.order_pass import Pass

F = TypeVar("F", bound=Callable[..., Any])
_MARK = "_tapedeck_compiled"
_KINDS = {bool: np.dtype(np.bool_), int: np.dtype(np.int64), float: np.dtype(np.float64)}


def jit(on_bar: F) -> F:
    """Have an `on_bar(self, bar, book)` compiled by Numba; see docs/reference/compiled.md for what it may use."""
    setattr(on_bar, _MARK, True)
    return on_bar


def is_compiled(on_bar: object) -> bool:
    """Return whether a bound `on_bar` is to be compiled."""
    return bool(getattr(on_bar, _MARK, False))


class Compiled:
    """One strategy's compiled `on_bar` with what it remembers. `seconds`: what compiling took, None without Numba."""

    def __init__(self, on_bar: Any) -> None:
        self._strategy = on_bar.__self__
        self._memory = _memory(self._strategy)
        self._step = on_bar.__func__
        self._drive: Callable[..., int] | None = None
        self.seconds: float | None = None

    def walk(self, run: Pass, view: Any, chunk: Chunk, book: Book) -> None:
        """Take the strategy through a chunk; `view.row` is where it stands, also when it raises."""
        rows, broker, names = len(chunk.ts), run.broker, view.bars.symbols
        account = _account(len(broker.cash), len(names))
        drive = self._compile(chunk, account)
        due = [*run.due, rows]
        row = ahead = 0
        while row < rows:
            while due[ahead] < row:
                ahead += 1
            view.row = row
            if broker.orders or row == due[ahead]:
                run.bar(row)
            _refresh(account, broker)
            last = row + 1 if broker.orders or row == due[ahead] else due[ahead]
            try:
                row = drive(self._memory, chunk, account, row, last)
            except Exception as error:
                if self.seconds is not None:
                    error.add_note("raised in compiled code: without @jit the error names its line")
                raise
            finally:
                view.row = int(account.row[0])
            if account.counts[0]:
                for line in account.requests[: account.counts[0]].tolist():
                    _hand_in(book, names, *line)
                row += 1
        for name in self._memory.dtype.names or ():  # what it remembers is the strategy's, from chunk to chunk
            kept = self._memory[name][0]
            setattr(self._strategy, name, kept.copy() if isinstance(kept, np.ndarray) else kept.item())

    def _compile(self, chunk: Chunk, account: Account) -> Callable[..., int]:
        if self._drive is None:
            began = time.perf_counter()
            try:
                from tapedeck.numba_driver import compile_driver  # noqa: PLC0415 - 0.3 s that others do not wait for
            except ImportError:
                self._drive = columns.driver(self._step, columns.worth)
                return self._drive
            self._drive = compile_driver(self._step, self._memory, chunk, account, 0, 0)
            self.seconds = time.perf_counter() - began
        return self._drive


def _memory(strategy: object) -> NDArray[np.void]:
    """Return a strategy's parameters and attributes as one record, (1,), each of the type that it has now.

    Raises `TypeError` for an attribute that is neither number nor array; those with a leading underscore are left out.
    """
    from tapedeck.strategy import Strategy, parameters  # noqa: PLC0415 - it knows this module by name

    owner: Any = type(strategy)
    found = {**parameters(owner), **vars(strategy)} if isinstance(strategy, Strategy) else vars(strategy)
    kept = {name: getattr(strategy, name) for name in found if not name.startswith("_")}
    kept = {name: value for name, value in kept.items() if not isinstance(value, str)}
    types: list[tuple[Any, ...]] = []
    for name, value in kept.items():
        if isinstance(value, np.ndarray) and value.dtype.kind in "bif":
            types.append((name, value.dtype, value.shape))
        elif type(value) in _KINDS:
            types.append((name, _KINDS[type(value)]))
        else:
            what = f"{type(value).__name__}: an on_bar that is compiled remembers numbers and NumPy arrays of numbers"
            raise TypeError(f"self.{name} is a {what}; one that it does not use begins with an underscore")
    memory = np.zeros(1, np.dtype((np.record, types or [("nothing", np.bool_)])))
    for name, value in kept.items():
        memory[name][0] = value
    return memory


def _account(accounts: int, width: int) -> Account:
    requests = np.zeros(columns.MOST, columns.REQUEST)
    counts, row = np.zeros(2, np.int64), np.zeros(1, np.int64)
    return Account(np.zeros(accounts), np.zeros(width), np.zeros(width, np.int64), requests, counts, row)


def _refresh(account: Account, broker: Any) -> None:
    account.cash[:], account.shares[:] = broker.cash, broker.shares
    account.waiting[:] = 0
    for order in broker.orders.values():
        account.waiting[order.column] += 1
    account.counts[:] = 0, broker.issued


def _hand_in(  # noqa: PLR0917 - the fields of a request
    book: Book, names: tuple[str, ...], kind: int, column: int, day: int, order: int, *numbers: float
) -> None:
    quantity, limit, stop = numbers
    if kind == columns.CANCEL:
        book.cancel(order)
    elif kind == columns.CANCEL_ALL and column == -1:
        book.cancel_all()
    elif not 0 <= column < len(names):
        raise OrderError(f"column {column} is none of this run's {len(names)} symbols: 0 to {len(names) - 1}")
    elif kind == columns.CANCEL_ALL:
        book.cancel_all(names[column])
    elif kind == columns.TARGET_WEIGHT:
        book.target_weight(names[column], quantity)
    elif kind == columns.TARGET_SHARES:
        book.target_shares(names[column], quantity)
    else:
        ask = book.buy if kind == columns.BUY else book.sell
        prices = {name: price for name, price in (("limit", limit), ("stop", stop)) if not math.isnan(price)}
        ask(names[column], quantity, tif="DAY" if day else "GTC", instead_of=order or None, **prices)
