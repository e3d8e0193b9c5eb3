"""One pass over a block of bars: looks at the bars where something happens, marks equity between them in one go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapedeck.engine import fills, kernel, plan
from tapedeck.engine.books import Books, Open
from tapedeck.engine.inputs import Array, Block
from tapedeck.engine.margin import MarginCall
from tapedeck.engine.state import EngineState


@dataclass(frozen=True)
class StepResult:
    """What a block brought: fills, and for each bar (n,) the equity and the net and gross value held at the close.

    `calls`: the margin calls, in order.
    """

    fills: fills.Fills
    equity: Array
    net: Array
    gross: Array
    calls: tuple[MarginCall, ...] = ()


@dataclass(frozen=True)
class Closing:
    """Orders left at the end: decided on the last bar (`dropped`), older ones that found no bar (`waiting`).

    `borrow_fee`: paid over the run; `interest`: received, negative if paid; both in currency.
    """

    dropped: int
    waiting: int
    borrow_fee: float = 0.0
    interest: float = 0.0


def step(state: EngineState, block: Block, targets: Array) -> StepResult:
    """Carry the books over a block; `targets` is float64 (n, s), NaN = leave the position alone. Changes `state`.

    However bars are cut into blocks, fills, equity and state come out the same to the byte, and so they do from the
    compiled pass and from `by_books`, its reference. Raises `EngineError`.
    """
    plan.check(state, block, targets)
    done = kernel.passed(state, block, targets)
    if done is None:
        return by_books(state, block, targets)
    _count(state, block)
    equity, net, gross = done.values
    return StepResult(done.fills, equity, net, gross, done.calls)


def by_books(state: EngineState, block: Block, targets: Array) -> StepResult:
    """Do what `step` does in plain Python, with every setting that there is, on a block whose shape is right."""
    planned = plan.make(state, block, targets)
    books = Books(state)
    rows = len(block.ts)
    values = np.zeros((3, rows))
    days = plan.days_passed(state.settings, state.session, block.session)
    events = sorted({*planned.due, *days, *np.flatnonzero(planned.decide.any(axis=1)).tolist(), rows})
    row = ahead = 0
    while row < rows:
        while events[ahead] < row:
            ahead += 1
        upto = row if books.busy else events[ahead]
        _mark(books, planned.mark, slice(row, upto), values)
        if upto < rows:
            if upto in days or books.watches:
                books.begin(days.get(upto, 0), (planned.mark[upto - 1] if upto else state.mark).tolist())
            _bar(state, books, block, planned, upto)
            _mark(books, planned.mark, slice(upto, upto + 1), values)
        row = upto + 1
    books.put_back(state)
    if rows:
        state.target[:], state.mark[:] = planned.targets[-1], planned.mark[-1]
    _count(state, block)
    equity, net, gross = values
    return StepResult(books.rows.fills(), equity, net, gross, tuple(books.calls))


def finish(state: EngineState) -> Closing:
    """Return what is left undone after the last bar; the state stays as it is."""
    open_orders = ~np.isnan(state.pending) | (state.unsized > 0)
    last = state.decided == state.bars - 1
    waiting = int((open_orders & ~last).sum())
    return Closing(int((open_orders & last).sum()), waiting, *(float(flow) for flow in state.carried))


def _count(state: EngineState, block: Block) -> None:
    if len(block.ts):
        state.actions_done += sum(map(len, plan.due(state, block).values()))
        state.bars += len(block.ts)
        state.session = int(block.session[-1])


def _bar(state: EngineState, books: Books, block: Block, planned: plan.Plan, row: int) -> None:
    """Work on one bar: actions, fills at the open, decisions at the close."""
    for kind, column, value in planned.due.get(row, ()):
        books.act(kind, column, value)
    if not books.busy and not planned.decide[row].any():
        return
    marks: list[float] = planned.mark[row].tolist()
    if books.busy:
        traded = np.where(np.isnan(block.fields["close"][row]), np.nan, block.fields["open"][row])
        volumes = block.fields["volume"][row].tolist() if state.settings.by_volume else []
        books.fill(Open(int(block.ts[row]), int(block.session[row]), traded.tolist(), volumes), marks)
    columns = np.flatnonzero(planned.decide[row]).tolist()
    if columns or any(books.unsized):
        books.decide(state.bars + row, columns, planned.targets[row].tolist(), marks, books.equity(marks))


def _mark(books: Books, mark: Array, rows: slice, values: Array) -> None:
    """Value the holdings at the closes of `rows`: column by column, so that it equals `Books.equity` to the bit."""
    if rows.start == rows.stop:
        return
    equity, net, gross = values[:, rows]
    sleeves = books.settings.accounts == "sleeves"
    for column, quantity in enumerate(books.shares):
        value = quantity * mark[rows, column] if quantity else 0.0
        net += value
        gross += np.abs(value)
        if sleeves:
            equity += books.cash[column] + value
    if not sleeves:
        equity += books.cash[0] + net
