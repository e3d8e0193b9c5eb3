"""Takes a strategy through bars one by one: the same engine that the platform keeps its books with, live."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, compress, count, repeat
from sys import getrefcount
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapedeck.bars import Array, Bars
from tapedeck.book import Bar, Book, OrderError, Quote, unknown
from tapedeck.columns import chunk_of
from tapedeck.compiling import Compiled, is_compiled
from tapedeck.engine.broker import Broker
from tapedeck.engine.core import StepResult
from tapedeck.engine.inputs import Block
from tapedeck.engine.order_pass import Pass
from tapedeck.engine.order_state import OrderState
from tapedeck.engine.orders import Ask, to_bytes
from tapedeck.fields import FIELDS

OnBar = Callable[[Bar, Book], object]
MOST_ORDERS = 500_000  # of a chunk (a test holds it equal to `contract.MOST_ORDERS`)
_SLAB = 512  # bars whose numbers are Python's at once
_new = tuple.__new__
_CLOSE = FIELDS.index("close")


@dataclass(frozen=True)
class Played:
    """A chunk's books, the sealed records of its orders, and the digest of what they led to."""

    step: StepResult
    orders: bytes
    claim: bytes


@dataclass(frozen=True)
class Own:
    """A chunk's own rows, raw: `tapedeck.engine.inputs.Block`."""

    symbols: tuple[str, ...]
    ts: NDArray[np.int64]
    session: NDArray[np.int32]
    fields: dict[str, Array]


def own_block(bars: Bars, history: int) -> Own:
    """Return the raw bars after `history` rows."""
    fields = {name: getattr(bars.raw, name)[history:] for name in FIELDS}
    return Own(bars.symbols, bars.ts[history:], bars.session[history:], fields)


def claim(step: StepResult, state: OrderState) -> bytes:
    """Return the SHA-256 of a chunk's fills and equity and of the books after it."""
    digest = hashlib.sha256(step.fills.to_bytes())
    digest.update(step.equity.astype("<f8").tobytes())
    digest.update(state.to_bytes())
    return digest.digest()


class View:
    """What `Bar` and `Book` look at: the chunk, and the row at which the strategy stands."""

    def __init__(self, run: Pass, bars: Bars, lookback: int) -> None:
        self.bars = bars
        self.asked: list[Ask] = []
        self.row = 0  # of the chunk's own rows
        self._run = run
        self._lookback = lookback
        self._columns = {symbol: i for i, symbol in enumerate(bars.symbols)}
        self._before = len(bars) - len(run.mark)

    @property
    def broker(self) -> Broker:
        """Accounts and open orders."""
        return self._run.broker

    def marks(self) -> list[float]:
        """Return the last known closes."""
        return self._run.marks(self.row)

    def at(self) -> int:
        """Return the row at which the strategy stands, of all bars of the chunk, history included."""
        return self._before + self.row

    def column(self, symbol: str) -> int:
        """Return a symbol's column; raises `OrderError` with the nearest name."""
        try:
            return self._columns[symbol]
        except (KeyError, TypeError):
            raise unknown(symbol, self.bars.symbols) from None

    def check_lots(self, call: str, shares: float) -> None:
        """Raise `OrderError` for a number of shares that this run does not trade."""
        lots = self.broker.lots
        if lots.shares and not lots.are_whole(np.array([shares])).all():
            what = "whole shares (fractional = false)" if lots.shares == 1.0 else f"lots of {lots.shares:g} shares"
            raise OrderError(f"{call}: this run trades {what}")

    def ask(self, kind: int, column: int, tif: int, ref: int, *numbers: float) -> int:
        """Hand a record to the broker and keep it for the platform; return the order's id."""
        if len(self.asked) >= MOST_ORDERS:
            raise OrderError(f"more than {MOST_ORDERS:,} orders in a month's chunk")
        quantity, limit, stop = numbers
        ask = (self._run.first + self.row, kind, column, tif, 0, ref, quantity, limit, stop)
        order = self._run.ask(ask, self.row)
        self.asked.append(ask)
        return order

    def history(self, row: int, bars: int, symbol: str | None, field: str) -> Array:
        """See `Bar.history`; `row` counts the chunk's history as well."""
        if not 1 <= bars <= self._lookback + 1:
            raise ValueError(f"history({bars}): lookback() is {self._lookback}, so 1 to {self._lookback + 1} bars are")
        if field not in FIELDS:
            raise ValueError(f"history: field is one of {', '.join(FIELDS)}, not {field!r}")
        values: Array = getattr(self.bars, field)[max(0, row + 1 - bars) : row + 1]
        return values if symbol is None else values[:, self.column(symbol)]


class Player:
    """Takes one strategy through its chunks; its book is the same one all the way."""

    def __init__(self, state: OrderState, lookback: int, on_bar: OnBar) -> None:
        """Begin with `state`, which changes; `lookback`: the bars of history that `Bar.history` may reach back."""
        self._state = state
        self._lookback = lookback
        self._on_bar = on_bar
        self._compiled = Compiled(on_bar) if is_compiled(on_bar) else None
        self._book: Book | None = None

    @property
    def compile_seconds(self) -> float | None:
        """What Numba took to compile `on_bar`, where it did; not part of what deciding takes."""
        return self._compiled.seconds if self._compiled else None

    def play(self, block: Block, actions: NDArray[np.void], bars: Bars) -> Played:
        """Ask the strategy at every bar of `block`; `bars` are the same, adjusted, after their history.

        Raises what the strategy raises, with a note that names the bar.
        """
        state, run = self._state, Pass(self._state, block, actions)
        view = View(run, bars, self._lookback)
        if self._book is None:
            self._book = Book(view)
        self._book._view = view
        try:
            if self._compiled:
                chunk = chunk_of(block, bars.close, run.mark, self._lookback)
                self._compiled.walk(run, view, chunk, self._book)
            else:
                _walk(run, view, block, self._book, self._on_bar)
        except Exception as error:
            error.add_note(f"in on_bar(bar, book) at the bar {_time(block, view.row)} UTC")
            raise
        step = run.finish()
        return Played(step, to_bytes(view.asked), claim(step, state))


def _walk(run: Pass, view: View, block: Block, book: Book, on_bar: OnBar) -> None:
    """Call `on_bar` at every row. Where nothing waits and all trade, that and writing the quotes down is all."""
    names, orders, due = view.bars.symbols, run.broker.orders, frozenset(run.due)
    traded = ~np.isnan(block.fields["close"])
    quiet = np.asarray(traded.all(axis=1))
    quiet[list(due)] = False
    first, width = names[0], len(names)
    bar = Bar(view)
    ours = getrefcount(bar)  # while nobody else holds it
    for row, still, quotes in zip(count(), quiet.tolist(), _quotes(block, view.bars)):
        if getrefcount(bar) > ours:  # the strategy has kept the last one, which stays what it is
            bar = bar.keep()
        view.row = row
        if (orders or not still) and (orders or row in due):
            run.bar(row, quotes if width > 1 else (quotes,))
        if not still or len(bar) != width:
            bar.clear()  # the symbols come in the order of columns
        if width == 1:
            if still or traded[row, 0]:
                bar[first] = quotes  # a loop over one symbol would cost more than all else here
        elif not still:
            bar.update(compress(zip(names, quotes, strict=True), traded[row].tolist()))
        else:
            for name, quote in zip(names, quotes):  # noqa: B905 - both have a place for each symbol
                bar[name] = quote
        on_bar(bar, book)
    bar.keep()


def _quotes(block: Block, bars: Bars) -> Iterator[Any]:
    """Yield each row's quotes by column; of one symbol, each row's quote."""
    fields = [block.fields[name] for name in FIELDS] + [bars.close[len(bars) - len(block.ts) :]]

    def slab(start: int) -> Iterator[Any]:
        lanes = [np.ascontiguousarray(values[start : start + _SLAB].T) for values in fields]
        numbers = [lane.tolist() for lane in lanes[:-1]]
        same = lanes[-1].tobytes() == lanes[_CLOSE].tobytes()  # as long as nothing has split
        numbers.append(numbers[_CLOSE] if same else lanes[-1].tolist())
        columns = [map(_new, repeat(Quote), zip(*column, strict=True)) for column in zip(*numbers, strict=True)]
        return zip(*columns, strict=True) if len(columns) > 1 else columns[0]

    return chain.from_iterable(map(slab, range(0, len(block.ts), _SLAB)))


def _time(block: Block, row: int) -> str:
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(block.ts[row]))
    return f"{start:%Y-%m-%d %H:%M}"
