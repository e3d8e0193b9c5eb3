"""Bars small enough to check by hand, and books that are kept on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from tapedeck.bars import Bars
from tapedeck.book import Bar, Book
from tapedeck.engine import EngineSettings, order_pass, order_state, start, step
from tapedeck.engine.fills import Fills
from tapedeck.engine.state import actions
from tapedeck.on_bar import Played, Player

NAN = float("nan")
FREE = EngineSettings(cash=1000.0, commission_bps=0.0, slippage_bps=0.0)
FIRST = 11_000  # 2000-02-13
CALM = (10.0, 11.0, 9.0, 10.0)  # open, high, low, close
Plan = dict[int, Callable[[Book], object]]  # row -> what is asked at its close


@dataclass(frozen=True)
class Block:
    symbols: tuple[str, ...]
    ts: Any
    session: Any
    fields: dict[str, Any]


@dataclass(frozen=True)
class Split:
    symbol: str
    session: date
    ratio: float


@dataclass(frozen=True)
class Dividend:
    symbol: str
    session: date
    amount: float


def day(row: int) -> date:
    """Return the session of a row, where a session is a row."""
    return date(1970, 1, 1) + timedelta(days=FIRST + row)


def block(opens: Any, closes: Any = None, per_session: int = 1) -> Block:
    """Return bars of these opens and closes (the opens, if none are named), (rows, symbols) or of one symbol."""
    opened = np.array(opens, dtype=np.float64)
    opened = opened[:, None] if opened.ndim == 1 else opened
    closed = opened if closes is None else np.array(closes, dtype=np.float64).reshape(opened.shape)
    rows, width = opened.shape
    session = (FIRST + np.arange(rows) // per_session).astype(np.int32)
    return Block(
        symbols=("A", "B", "C")[:width],
        ts=session.astype(np.int64) * 86_400_000_000 + np.arange(rows) % per_session,
        session=session,
        fields={"open": opened, "close": closed},
    )


def run(bars: Block, targets: Any, settings: EngineSettings = FREE, splits: Any = (), dividends: Any = ()) -> Any:
    """Trade target weights, a row a bar; return what came of it and the books' state."""
    wanted = np.array(targets, dtype=np.float64).reshape(bars.fields["open"].shape)
    state = start(bars.symbols, settings, splits, dividends)
    return step(state, bars, wanted), state


def bars(*rows: tuple[float, float, float, float], per_session: int = 1) -> Block:
    """One symbol's bars: open, high, low, close."""
    return many([[row] for row in rows], per_session)


def many(rows: list[list[tuple[float, float, float, float]]], per_session: int = 1) -> Block:
    """Bars of A, B, C: open, high, low, close, a row a bar."""
    values = np.array(rows, dtype=np.float64)
    session = (FIRST + np.arange(len(values)) // per_session).astype(np.int32)
    fields = {name: values[:, :, i].copy() for i, name in enumerate(("open", "high", "low", "close"))}
    fields["volume"] = np.where(np.isnan(fields["close"]), 0.0, 100.0)
    ts = session.astype(np.int64) * 86_400_000_000 + np.arange(len(values)) % per_session * 60_000_000
    return Block(("A", "B", "C")[: values.shape[1]], ts, session, fields)


def trade(
    block: Block, plan: Plan, settings: EngineSettings = FREE, splits: Any = (), dividends: Any = ()
) -> tuple[Played, Fills, list[tuple[float, float, dict[str, float]]]]:
    """Play a plan; return what was played, its fills and (cash, equity, positions) as the book showed them."""
    state = order_state.new(block.symbols, settings)
    known = actions(block.symbols, splits, dividends)
    seen: list[tuple[float, float, dict[str, float]]] = []

    def on_bar(bar: Bar, book: Book) -> None:
        seen.append((book.cash, book.equity, book.positions))
        plan.get(len(seen) - 1, lambda book: None)(book)

    shown = Bars(symbols=block.symbols, ts=block.ts, session=block.session, fields=block.fields)
    played = Player(state, 0, on_bar).play(block, known, shown)
    again = order_state.new(block.symbols, settings)
    step = order_pass.replay(again, block, known, played.orders)
    assert step.fills.to_bytes() == played.step.fills.to_bytes()  # every case is replayed as the platform does
    assert (step.equity.tobytes(), again.to_bytes()) == (played.step.equity.tobytes(), state.to_bytes())
    return played, played.step.fills, seen


def flat(rows: int, volume: Any = 100.0, closes: Any = None) -> Block:
    """One symbol at 10 (or at `closes`, which are also the next bar's open) with a volume."""
    close = np.full(rows, 10.0) if closes is None else np.array(closes)
    made = block(np.concatenate([close[:1], close[:-1]]), close)
    made.fields["volume"] = np.broadcast_to(np.asarray(volume, np.float64), (rows,))[:, None].copy()
    return made


def with_ranges(block: Block) -> Block:
    """Return the block with the highs and lows that orders look at."""
    return replace(block, fields={**block.fields, "high": block.fields["close"], "low": block.fields["close"]})
