"""A run's chunks one after the other through its books, and what comes out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapedeck import engine, metrics
from tapedeck.bars import Array, Bars
from tapedeck.engine import margin
from tapedeck.laptop.asked import Asked
from tapedeck.laptop.keepers import Keeper
from tapedeck.market.block import Block

Days = NDArray[np.int32]


@dataclass(frozen=True)
class Finished:
    """What a run brought. `sessions` and `equity`: (n,) at each session's close; `metrics`: see `tapedeck.metrics`.

    `snapshot` and `result_digest` are empty for bars in memory, which the platform cannot run again.
    """

    name: str
    symbols: tuple[str, ...]
    snapshot: str
    sessions: Days
    equity: Array
    fills: engine.Fills
    closing: engine.Closing
    metrics: dict[str, Any]
    engine: engine.EngineSettings
    margin_calls: list[dict[str, object]]  # `tapedeck.engine.margin.records`
    result_digest: str  # of decisions, fills and equity: the platform's, for the same chunks
    compile_seconds: float | None  # what Numba took to compile `on_bar`, where it did


@dataclass(frozen=True)
class Of:
    """What is run; `snapshot` is empty for bars in memory."""

    name: str
    symbols: tuple[str, ...]
    snapshot: str
    calendar: str
    wish: Asked


def replay(books: Keeper, chunks: Iterable[tuple[Block, Bars]], of: Of) -> Finished:
    """Hand the chunks out one after the other; return what they come to. Raises what the strategy raises."""
    digest = hashlib.sha256()
    steps, sessions = [], []
    for block, bars in chunks:
        decided, step = books.book(block, bars)
        for part in decided if of.snapshot else ():
            digest.update(part)
        steps.append(step)
        sessions.append(block.session)
    decisions = digest.hexdigest() if of.snapshot else None
    return _finished(of, books, steps, np.concatenate(sessions), decisions)


def _finished(
    of: Of, books: Keeper, steps: Sequence[engine.StepResult], session: Days, decisions: str | None
) -> Finished:
    """Return what all steps of a run come to; `decisions` is their digest, where the run has one."""
    fills = engine.concat([step.fills for step in steps])
    equity, net, gross = (np.concatenate([getattr(step, of) for step in steps]) for of in ("equity", "net", "gross"))
    closing, calls = books.finish(), [call for step in steps for call in step.calls]
    days, daily = metrics.daily_equity(session, equity)
    summary = metrics.summarise(
        sessions=days,
        equity=daily,
        start_cash=of.wish.engine.cash,
        fills=fills,
        calendar_name=of.calendar,
        risk_free=of.wish.risk_free,
        bar_equity=equity,
        net=metrics.daily_equity(session, net)[1],
        gross=metrics.daily_equity(session, gross)[1],
        borrow_fee=closing.borrow_fee,
        interest=closing.interest,
        margin_calls=len(calls),
    )
    return Finished(
        name=of.name,
        symbols=of.symbols,
        snapshot=of.snapshot,
        sessions=days,
        equity=daily,
        fills=fills,
        closing=closing,
        metrics=summary,
        engine=of.wish.engine,
        margin_calls=margin.records(calls, of.symbols, sleeves=of.wish.engine.accounts == "sleeves"),
        result_digest=_digest(decisions, fills, equity) if decisions else "",
        compile_seconds=books.compile_seconds,
    )


def _digest(decisions: str, fills: engine.Fills, equity: Array) -> str:
    whole = hashlib.sha256(decisions.encode())
    whole.update(fills.to_bytes())
    whole.update(equity.astype("<f8").tobytes())
    return whole.hexdigest()
