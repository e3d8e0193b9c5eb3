"""However data is cut, the books are the same to the byte; they agree with the oracle, and money is conserved."""

from __future__ import annotations

import time
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapedeck import sma
from tapedeck.engine import EngineSettings, EngineState, concat, finish, start, step
from tests.oracle import crossover
from tests.unit.random_bars import EPOCH, FIRST, MODELS, OPTIONS, cut, market, weights
from tests.unit.small_bars import Block


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    width=st.integers(1, 4),
    per_session=st.sampled_from([1, 3]),
    gaps=st.sampled_from([0.0, 0.2, 0.7]),
    options=OPTIONS | MODELS,
    cuts=st.lists(st.integers(0, 120), max_size=8),
)
def test_the_books_are_the_same_to_the_byte_however_bars_are_cut(  # noqa: PLR0917 - hypothesis names them
    seed: int, width: int, per_session: int, gaps: float, options: EngineSettings, cuts: list[int]
) -> None:
    bars, splits, dividends = market(seed, 120, width, per_session, gaps)
    targets = weights(seed, (120, width))
    whole = start(bars.symbols, options, splits, dividends)
    expected = step(whole, bars, targets)
    state = start(bars.symbols, options, splits, dividends)
    parts = []
    for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), 120], strict=True):
        state = EngineState.from_bytes(state.to_bytes())  # resumed at every cut
        parts.append(step(state, cut(bars, first, last), targets[first:last]))
    assert state.to_bytes() == whole.to_bytes()
    assert finish(state) == finish(whole)
    assert concat([part.fills for part in parts]).to_bytes() == expected.fills.to_bytes()
    assert [call for part in parts for call in part.calls] == list(expected.calls)
    for name in ("equity", "net", "gross"):
        assert b"".join(getattr(p, name).tobytes() for p in parts) == getattr(expected, name).tobytes()


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), width=st.integers(1, 4), gaps=st.sampled_from([0.0, 0.2]), options=OPTIONS | MODELS)
def test_equity_is_finite_and_cash_never_goes_below_what_leverage_allows(
    seed: int, width: int, gaps: float, options: EngineSettings
) -> None:
    bars, splits, dividends = market(seed, 120, width, 1, gaps)
    targets = np.abs(weights(seed, (120, width)))  # long only, so that no short's dividend is owed
    state = start(bars.symbols, options, splits, dividends)
    result = step(state, bars, targets)
    assert np.isfinite(result.equity).all()
    if options.leverage == 1 and not options.carries and not options.commission_minimum:
        assert state.cash.min() > -1e-6
    assert result.equity[-1] == pytest.approx(state.cash.sum() + np.nansum(state.shares * state.mark), rel=1e-12)


def test_money_is_conserved_when_prices_stand_still() -> None:
    rows = 200
    flat = np.full((rows, 3), 25.0)
    session = (FIRST + np.arange(rows)).astype(np.int32)
    bars = Block(("A", "B", "C"), session.astype(np.int64), session, {"open": flat, "close": flat})
    result = step(start(bars.symbols, EngineSettings(), [], []), bars, weights(3, (rows, 3)))
    paid = result.fills.commission.sum() + result.fills.slippage.sum()
    assert len(result.fills) > 20
    assert result.equity[-1] + paid == pytest.approx(1_000_000, rel=1e-12)


COSTS = {"minimum": 40.0, "half_spread": 0.03, "cap": 0.2}


@pytest.mark.parametrize("costs", [{}, COSTS], ids=["plain", "costs"])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("per_session", "gaps"), [(1, 0.0), (3, 0.0), (3, 0.002)])
def test_the_crossover_agrees_with_the_oracle(
    seed: int, per_session: int, gaps: float, costs: dict[str, float]
) -> None:
    bars, splits, dividends = market(seed, 900, 3, per_session, gaps)
    history, fast, slow = 120, 5, 30
    closes = bars.fields["close"]
    factor = np.ones_like(closes)
    for split in splits:
        after = bars.session >= (split.session - EPOCH).days
        factor[after, bars.symbols.index(split.symbol)] *= split.ratio
    signal = closes * factor
    targets = (sma(signal, fast) > sma(signal, slow)) / 3
    begin = history // per_session * per_session
    rows = []
    for row in range(900):
        shown = [bars.fields[name][row].tolist() for name in ("open", "close", "volume")[: 3 if costs else 2]]
        priced = {
            s: None if np.isnan(closes[row, i]) else tuple(values[i] for values in shown)
            for i, s in enumerate(bars.symbols)
        }
        rows.append((EPOCH + timedelta(days=int(bars.session[row])), priced))
    sessions = set(bars.session.tolist())
    paid = [d for d in dividends if (d.session - EPOCH).days in sessions]  # the oracle knows no day off
    known = {"minimum": "commission_minimum", "half_spread": "half_spread_per_share", "cap": "volume_cap"}
    settings = EngineSettings(**{known[name]: value for name, value in costs.items()})  # type: ignore[arg-type]
    state = start(bars.symbols, settings, splits, paid)
    result = step(state, cut(bars, begin, 900), targets[begin:])
    equity, fills = crossover(
        rows,
        rows[begin][0],
        [(s.symbol, s.session, s.ratio) for s in splits],
        [(d.symbol, d.session, d.amount) for d in paid],
        fast=fast,
        slow=slow,
        **costs,
    )
    assert len(result.fills) == fills
    assert result.equity[-1] == pytest.approx(equity, rel=1e-9)
    assert fills > 20
    assert paid


def test_forty_thousand_bars_of_two_symbols_take_less_than_two_seconds() -> None:
    rng = np.random.default_rng(1)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.003, (40_000, 2)), axis=0))
    session = (FIRST + np.arange(40_000) // 7).astype(np.int32)
    bars = Block(("A", "B"), session.astype(np.int64), session, {"open": close, "close": close})
    targets = (sma(close, 20) > sma(close, 100)) / 2
    began = time.process_time()
    result = step(start(bars.symbols, EngineSettings(), [], []), bars, targets)
    assert time.process_time() - began < 2
    assert len(result.fills) > 500
