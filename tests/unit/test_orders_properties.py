"""Orders: the same to the byte however data is cut; weights by orders are weights; money is conserved."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tapedeck import engine
from tapedeck.book import Bar, Book
from tapedeck.engine import EngineSettings, concat, order_pass, order_state
from tapedeck.engine.order_state import OrderState
from tapedeck.engine.state import actions
from tests.unit.random_bars import MODELS, OPTIONS, ROWS, cut, market, played, weights, whole_bars
from tests.unit.small_bars import Block

CALLED = EngineSettings(leverage=2.0, maintenance_margin=0.5, volume_cap=0.1, lot_size=10.0)  # seed 65: 8 margin calls


class Random:
    """Asks for anything that a book takes, by dice; what it sees moves the dice, so that a difference spreads."""

    def __init__(self, seed: int, lot: float) -> None:
        self.dice = np.random.default_rng(seed)
        self.lot = lot
        self.seen: list[Any] = []

    def on_bar(self, bar: Bar, book: Book) -> None:
        self.seen.append((book.cash, book.equity, book.positions, dict(book.orders), dict(bar), bar.session))
        for symbol in bar:
            if self.dice.random() < 0.4:
                self.ask(symbol, bar[symbol].close, book)
        if book.orders and self.dice.random() < 0.1:
            book.cancel(next(iter(book.orders)))

    def ask(self, symbol: str, price: float, book: Book) -> None:
        kind, shares = int(self.dice.integers(0, 7)), book.equity * self.dice.random() / price / 3 + 1
        shares = float(int(abs(shares) / self.lot) + 1) * self.lot if self.lot else abs(shares) + 1
        tif = "DAY" if self.dice.random() < 0.5 else "GTC"
        near = {"limit": price * self.dice.uniform(0.95, 1.05), "stop": price * self.dice.uniform(0.95, 1.05)}
        act = book.buy if self.dice.random() < 0.5 else book.sell
        other = next(iter(book.orders), None) if self.dice.random() < 0.3 else None
        if kind == 0:
            book.target_weight(symbol, self.dice.choice([0.0, 0.4, -0.3]))
        elif kind == 1:
            book.target_shares(symbol, shares)
        else:
            wanted = {2: (), 3: ("limit",), 4: ("stop",), 5: ("limit", "stop"), 6: ("limit",)}[kind]
            act(symbol, shares, tif=tif, instead_of=other, **{name: near[name] for name in wanted})


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 10_000),
    width=st.integers(1, 3),
    per_session=st.sampled_from([1, 3]),
    gaps=st.sampled_from([0.0, 0.2, 0.6]),
    options=OPTIONS | MODELS,
    cuts=st.lists(st.integers(0, ROWS), max_size=6),
)
@example(seed=65, width=3, per_session=1, gaps=0.2, options=CALLED, cuts=[20, 40, 60, 61, 62])
def test_a_run_by_bars_is_the_same_to_the_byte_however_bars_are_cut_and_when_it_is_replayed(  # noqa: PLR0917
    seed: int, width: int, per_session: int, gaps: float, options: EngineSettings, cuts: list[int]
) -> None:
    raw, splits, dividends = market(seed, ROWS, width, per_session, gaps)
    block, known = whole_bars(raw, seed), actions(raw.symbols, splits, dividends)
    whole, dice = order_state.new(block.symbols, options), Random(seed, options.lot)
    expected = played(whole, block, known, dice.on_bar)
    state, outside, again = (order_state.new(block.symbols, options) for _ in range(3))
    pieces, replays, other = [], [], Random(seed, options.lot)
    for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), ROWS], strict=True):
        state, outside = (OrderState.from_bytes(s.to_bytes()) for s in (state, outside))  # resumed at every cut
        piece = cut(block, first, last)
        pieces.append(played(state, piece, known, other.on_bar))
        replays.append(order_pass.replay(outside, piece, known, pieces[-1].orders))
    assert repr(other.seen) == repr(dice.seen)
    assert state.to_bytes() == outside.to_bytes() == whole.to_bytes()
    assert b"".join(piece.orders for piece in pieces) == expected.orders
    order_pass.replay(again, block, known, expected.orders)
    assert again.to_bytes() == whole.to_bytes()
    for steps in ([piece.step for piece in pieces], replays):
        assert concat([step.fills for step in steps]).to_bytes() == expected.step.fills.to_bytes()
        assert [call for step in steps for call in step.calls] == list(expected.step.calls)
        for name in ("equity", "net", "gross"):
            assert b"".join(getattr(s, name).tobytes() for s in steps) == getattr(expected.step, name).tobytes()


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 10_000),
    width=st.integers(1, 4),
    gaps=st.sampled_from([0.0, 0.2, 0.6]),
    options=OPTIONS | MODELS,
)
def test_target_weights_asked_bar_by_bar_are_the_weights_level_to_the_byte(
    seed: int, width: int, gaps: float, options: EngineSettings
) -> None:
    raw, splits, dividends = market(seed, ROWS, width, 3, gaps)
    targets = weights(seed, (ROWS, width))
    priced = np.maximum.accumulate(~np.isnan(raw.fields["close"]), axis=0)
    targets[~priced] = np.nan  # a weight of what never had a price is refused by the book and waits at weights
    options = EngineSettings(**{**options.__dict__, "rebalance": "change"})
    state = engine.start(raw.symbols, options, splits, dividends)
    expected = engine.step(state, raw, targets)
    last, row = [float("nan")] * width, iter(range(ROWS))

    def on_bar(bar: Bar, book: Book) -> None:
        for column, weight in enumerate(targets[next(row)].tolist()):
            if not math.isnan(weight) and weight != last[column]:
                book.target_weight(bar.symbols[column], weight)
                last[column] = weight

    other = order_state.new(raw.symbols, options)
    got = played(other, whole_bars(raw, seed), actions(raw.symbols, splits, dividends), on_bar).step
    assert got.fills.to_bytes() == expected.fills.to_bytes()
    for name in ("equity", "net", "gross"):
        assert getattr(got, name).tobytes() == getattr(expected, name).tobytes()
    assert order_pass.finish(other) == engine.finish(state)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), options=OPTIONS)
def test_no_buy_takes_cash_below_what_leverage_allows_and_no_price_is_beyond_its_bar(
    seed: int, options: EngineSettings
) -> None:
    raw, _, _ = market(seed, ROWS, 2, 3, 0.1)
    block = whole_bars(raw, seed)
    dice = Random(seed, options.lot)
    step = played(order_state.new(block.symbols, options), block, actions(block.symbols, [], []), dice.on_bar).step
    assert np.isfinite(step.equity).all()
    row = np.searchsorted(block.ts, step.fills.ts.astype(np.int64))
    low, high = (block.fields[name][row, step.fills.symbol] for name in ("low", "high"))
    assert ((step.fills.reference >= low) & (step.fills.reference <= high)).all()
    if options.leverage == 1:
        assert min(cash for cash, *_ in dice.seen) > -1e-6


def test_money_is_conserved_when_prices_stand_still() -> None:
    raw, _, _ = market(3, ROWS, 3, 3, 0.0)
    flat = {name: np.full((ROWS, 3), 25.0) for name in ("open", "high", "low", "close", "volume")}
    block = Block(raw.symbols, raw.ts, raw.session, flat)
    dice = Random(5, True)
    state = order_state.new(block.symbols, EngineSettings())
    step = played(state, block, actions(block.symbols, [], []), dice.on_bar).step
    assert len(step.fills) > 20
    assert step.equity[-1] + (step.fills.commission + step.fills.slippage).sum() == pytest.approx(1_000_000, rel=1e-12)


def test_the_example_with_margin_calls_has_some() -> None:
    raw, splits, dividends = market(65, ROWS, 3, 1, 0.2)
    block, known = whole_bars(raw, 65), actions(raw.symbols, splits, dividends)
    calls = played(order_state.new(block.symbols, CALLED), block, known, Random(65, CALLED.lot).on_bar).step.calls
    assert len(calls) > 3
