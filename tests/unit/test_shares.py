"""Target shares: checked by hand, the same to the byte however bars are cut, and equal to what a book does."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapedeck.book import Bar, Book
from tapedeck.engine import EngineError, EngineSettings, concat, order_state
from tapedeck.engine.share_targets import ShareTargets
from tapedeck.engine.state import actions
from tests.unit.random_bars import MODELS, OPTIONS, ROWS, cut, market, played, whole_bars
from tests.unit.small_bars import CALM, FREE, NAN, Split, bars, day


def test_a_changed_target_trades_the_difference_at_the_next_open() -> None:
    block = bars(CALM, (20, 21, 19, 20), (20, 21, 19, 20), (20, 21, 19, 20))
    books = ShareTargets(("A",), FREE, [], [])
    done = books.step(block, np.array([[30.0], [NAN], [-10.0], [5.0]]))
    assert (done.fills.quantity.tolist(), done.fills.price.tolist()) == ([30.0, -40.0], [20.0, 20.0])
    assert done.equity.tolist() == [1000.0] * 4
    assert books.finish().dropped == 1


def test_a_split_multiplies_the_holding_and_trades_nothing() -> None:
    block = bars(CALM, CALM, (5, 5.5, 4.5, 5), (5, 5.5, 4.5, 5))
    done = ShareTargets(("A",), FREE, [Split("A", day(2), 2.0)], []).step(block, np.full((4, 1), 30.0))
    assert done.fills.quantity.tolist() == [30.0]
    assert done.net.tolist() == [0.0, 300.0, 300.0, 300.0]


@pytest.mark.parametrize("target", [float("inf"), -float("inf"), 1e16, 0.5])
def test_what_is_no_number_of_shares_is_refused_with_bar_and_symbol(target: float) -> None:
    books = ShareTargets(("A",), replace(FREE, fractional=False), [], [])
    with pytest.raises(EngineError, match=r"the target of A at bar 2000-02-14T00:00:00\.000000 UTC is"):
        books.step(bars(CALM, CALM), np.array([[1.0], [target]]))


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    width=st.integers(1, 3),
    gaps=st.sampled_from([0.0, 0.3]),
    options=OPTIONS | MODELS,
    cuts=st.lists(st.integers(0, ROWS), max_size=5),
)
def test_shares_are_the_same_however_they_are_cut_and_what_a_book_does(
    seed: int, width: int, gaps: float, options: EngineSettings, cuts: list[int]
) -> None:
    raw, splits, dividends = market(seed, ROWS, width, 3, gaps)
    block, rng = whole_bars(raw, seed), np.random.default_rng(seed)
    targets = rng.choice([0.0, 500.0, 2000.0, -300.0], (ROWS, width))
    targets[rng.random(targets.shape) < 0.7] = np.nan
    whole = ShareTargets(block.symbols, options, splits, dividends).step(block, targets)
    books, parts = ShareTargets(block.symbols, options, splits, dividends), []
    for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), ROWS], strict=True):
        parts.append(books.step(cut(block, first, last), targets[first:last]))
    assert concat([part.fills for part in parts]).to_bytes() == whole.fills.to_bytes()
    assert b"".join(part.equity.tobytes() for part in parts) == whole.equity.tobytes()
    last_target, row = [math.nan] * width, iter(range(ROWS))

    def on_bar(bar: Bar, book: Book) -> None:
        for column, shares in enumerate(targets[next(row)].tolist()):
            if not math.isnan(shares) and shares != last_target[column]:
                book.target_shares(bar.symbols[column], shares)
                last_target[column] = shares

    state = order_state.new(block.symbols, options)
    step = played(state, block, actions(block.symbols, splits, dividends), on_bar).step
    assert step.fills.to_bytes() == whole.fills.to_bytes()
    assert step.equity.tobytes() == whole.equity.tobytes()
