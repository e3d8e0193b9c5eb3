"""One pass of the broker over a block of bars: what is due at each bar, and equity at every close.

Whoever decides (`tapedeck.on_bar` asks a strategy, `replay` reads sealed records) walks the rows in order, calls `bar`
where `waits` says so, and hands in orders by `ask`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tapedeck.engine import plan
from tapedeck.engine.broker import Broker, Prices
from tapedeck.engine.core import Closing, StepResult
from tapedeck.engine.inputs import Array, Block
from tapedeck.engine.ledger import When
from tapedeck.engine.liquidity import Lots
from tapedeck.engine.order_state import OrderState
from tapedeck.engine.orders import Ask, from_bytes, unpacked
from tapedeck.engine.settings import EngineError

Due = dict[int, list[tuple[int, int, float]]]  # row -> (kind, column, value), in the order in which they apply
PRICES = ("open", "high", "low", "close")
TRADED = (*PRICES, "volume")


class Pass:
    """A block under way. `mark`: (n, s) last known closes at each bar; `broker`: accounts and open orders."""

    def __init__(self, state: OrderState, block: Block, actions: NDArray[np.void]) -> None:
        """Begin a block; `actions`: dtype `state.ACTION`, sorted, at least those of the block's sessions."""
        _check(state, block)
        self.first = state.bars
        self.broker = Broker(state)
        self._state = state
        self._block = block
        self._due = _due(state, block, actions)
        self._days = plan.days_passed(state.settings, state.session, block.session)
        self._before: list[float] = state.mark.tolist()
        self.mark = plan.filled(block.fields["close"], state.mark)
        plan.split_marks(self.mark, block.fields["close"], self._due)
        self._changes: list[tuple[int, list[float], list[float]]] = [
            (0, list(self.broker.cash), list(self.broker.shares))
        ]

    @property
    def due(self) -> list[int]:
        """The rows to look at even if no order waits, rising: actions, days that passed, margin."""
        if self._state.settings.maintenance_margin:
            return list(range(len(self._block.ts)))
        return sorted({*self._due, *self._days})

    def marks(self, row: int) -> list[float]:
        """Return the last known closes at a row."""
        marks: list[float] = self.mark[row].tolist()
        return marks

    def bar(self, row: int, quotes: Sequence[Prices] | None = None) -> None:
        """Let the broker work on a bar; `quotes` are its prices by column, where the caller has them at hand."""
        broker = self.broker
        filled = len(broker.rows)
        if row in self._days or broker.margin.maintenance:
            broker.begin(self._days.get(row, 0), self.marks(row - 1) if row else self._before)
        for kind, column, value in self._due.get(row, ()):
            broker.act(kind, column, value)
        if broker.orders or broker.called:
            when = When(int(self._block.ts[row]), int(self._block.session[row]))
            broker.open(when, self._quotes(row) if quotes is None else quotes, partial(self.marks, row))
        if len(broker.rows) > filled or row in self._due or row in self._days:
            self._changes.append((row, list(broker.cash), list(broker.shares)))

    def ask(self, ask: Ask, row: int) -> int:
        """Hand in a record at the close of a row; return the order's id."""
        return self.broker.take(ask, self.marks(row))

    def finish(self) -> StepResult:
        """Write the state back; return fills and values of the block."""
        state, rows = self._state, len(self._block.ts)
        self.broker.put_back(state)
        if rows:
            state.mark[:] = self.mark[-1]
            state.bars += rows
            state.session = int(self._block.session[-1])
        return StepResult(self.broker.rows.fills(), *self._values(rows), tuple(self.broker.calls))

    def _quotes(self, row: int) -> list[Prices]:
        columns = [self._block.fields[name][row].tolist() for name in TRADED]
        return list(zip(*columns, strict=True))

    def _values(self, rows: int) -> tuple[Array, Array, Array]:
        """Return equity, net and gross value held at each close, column by column as `Ledger.equity` adds."""
        starts = [row for row, _, _ in self._changes]
        lengths = np.diff([*starts, rows])
        cash = np.repeat(np.array([cash for _, cash, _ in self._changes]), lengths, axis=0)
        shares = np.repeat(np.array([shares for _, _, shares in self._changes]), lengths, axis=0)
        equity, net, gross = np.zeros((3, rows))
        for column in range(shares.shape[1]):
            held = shares[:, column]
            if not held.any():
                value = np.zeros(rows)
            else:
                value = np.where(held == 0, 0.0, held * self.mark[:, column])
            net += value
            gross += np.abs(value)
            if self.broker.sleeves:
                equity += cash[:, column] + value
        if not self.broker.sleeves:
            equity += cash[:, 0] + net
        return equity, net, gross


def replay(state: OrderState, block: Block, actions: NDArray[np.void], sealed: bytes) -> StepResult:
    """Carry the books over a block with the records that a strategy asked for. Changes `state`.

    Raises `EngineError` for records that no strategy can have asked for.
    """
    width, rows = len(state.symbols), len(block.ts)
    settings = state.settings
    asked = from_bytes(sealed, first=state.bars, rows=rows, width=width, lots=Lots(settings.lot))
    run = Pass(state, block, actions)
    stops = sorted({*run.due, *(np.unique(asked["bar"]) - run.first).tolist(), rows})
    waiting = unpacked(asked)
    ask = next(waiting, None)
    row = ahead = 0
    while row < rows:
        while stops[ahead] < row:
            ahead += 1
        if not run.broker.orders:
            row = stops[ahead]
            if row == rows:
                break
        run.bar(row)
        while ask is not None and ask[0] == run.first + row:
            run.ask(ask, row)
            ask = next(waiting, None)
        row += 1
    return run.finish()


def finish(state: OrderState) -> Closing:
    """Return what is left undone after the last bar: orders asked for on it (`dropped`), older ones (`waiting`)."""
    dropped = sum(order.bar == state.bars - 1 for order in state.orders)
    return Closing(dropped, len(state.orders) - dropped, *(float(flow) for flow in state.carried))


def _check(state: OrderState, block: Block) -> None:
    if tuple(block.symbols) != state.symbols:
        raise EngineError(f"the block has symbols {list(block.symbols)}, expected {list(state.symbols)}")
    expected = (len(block.ts), len(state.symbols))
    for name in TRADED if state.settings.by_volume else PRICES:
        if block.fields[name].shape != expected:
            raise EngineError(f"{name} have shape {block.fields[name].shape}, expected {expected}: bars x symbols")
    if len(block.session) and (block.session[0] < state.session or (np.diff(block.session) < 0).any()):
        raise EngineError("sessions go back in time")


def _due(state: OrderState, block: Block, actions: NDArray[np.void]) -> Due:
    """Return the actions by the row at which they apply: the first bar of their session, or of the next there is."""
    due: Due = {}
    if not len(block.session):
        return due
    low, high = np.searchsorted(actions["session"], [state.session, block.session[-1]], side="right").tolist()
    for session, kind, column, value in actions[low:high].tolist():
        due.setdefault(int(np.searchsorted(block.session, session)), []).append((kind, column, value))
    return due
