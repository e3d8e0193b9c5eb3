"""Bars, actions, targets and settings by dice, for what must hold of any of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tapedeck.bars import Bars
from tapedeck.engine import EngineSettings
from tapedeck.engine.order_state import OrderState
from tapedeck.on_bar import Played, Player
from tests.unit.small_bars import Block, Dividend, Split

EPOCH = date(1970, 1, 1)
FIRST = 12_000  # 2002-11-09
ROWS = 90


def market(
    seed: int, rows: int, width: int, per_session: int, gaps: float
) -> tuple[Block, list[Split], list[Dividend]]:
    """Return bars with splits and dividends; a share of `gaps` of the bars did not trade."""
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.03, (rows, width)), axis=0))
    opened = close * np.exp(rng.normal(0, 0.01, close.shape))
    session = (FIRST + np.arange(rows) // per_session * rng.integers(1, 3)).astype(np.int32)
    symbols = tuple("ABCDEFG"[:width])
    splits, dividends = [], []
    for column, symbol in enumerate(symbols):
        for at in rng.integers(0, rows, 3):
            when, ratio = EPOCH + timedelta(days=int(session[at])), float(rng.choice([2.0, 0.1, 1.5]))
            if not any(split.session == when and split.symbol == symbol for split in splits):
                splits.append(Split(symbol, when, ratio))
                for prices in (close, opened):
                    prices[session >= session[at], column] /= ratio
        for at in rng.integers(0, rows, 4):
            when = EPOCH + timedelta(days=int(session[at]) + int(rng.integers(0, 2)))
            dividends.append(Dividend(symbol, when, float(rng.random())))
    missing = rng.random(close.shape) < gaps
    close[missing] = opened[missing] = np.nan
    ts = np.arange(rows, dtype=np.int64) * 60_000_000
    volume = np.where(missing, 0.0, rng.integers(0, 40, close.shape) * 1000.0)
    return Block(symbols, ts, session, {"open": opened, "close": close, "volume": volume}), splits, dividends


def cut(bars: Block, first: int, last: int) -> Block:
    """Return the bars of these rows."""
    fields = {name: array[first:last] for name, array in bars.fields.items()}
    return Block(bars.symbols, bars.ts[first:last], bars.session[first:last], fields)


def weights(seed: int, shape: tuple[int, int]) -> Any:
    """Return target weights that mostly change nothing."""
    rng = np.random.default_rng(seed)
    made = rng.choice([0.0, 0.3, 0.5, -0.2, 1.0], shape)
    made[rng.random(shape) < 0.8] = np.nan
    return made


OPTIONS = st.builds(
    EngineSettings,
    accounts=st.sampled_from(["one", "sleeves"]),
    size_at=st.sampled_from(["decision", "fill"]),
    rebalance=st.sampled_from(["change", "day", "month"]),
    leverage=st.sampled_from([1.0, 2.0]),
    fractional=st.booleans(),
)


MODELS = st.builds(
    lambda plain, costs, market, margin: replace(plain, **costs, **market, maintenance_margin=margin / plain.leverage),
    OPTIONS,
    st.fixed_dictionaries(
        {
            "commission_per_share": st.sampled_from([0.0, 0.005]),
            "commission_minimum": st.sampled_from([0.0, 2.0]),
            "half_spread_per_share": st.sampled_from([0.0, 0.02]),
            "borrow_fee_annual": st.sampled_from([0.0, 0.5]),
            "interest_credit_annual": st.sampled_from([0.0, 0.03]),
            "interest_debit_annual": st.sampled_from([0.0, 0.3]),
        }
    ),
    st.fixed_dictionaries(
        {
            "impact_bps": st.sampled_from([0.0, 50.0]),
            "volume_cap": st.sampled_from([0.0, 0.1, 1.0]),
            "halt_zero_volume": st.booleans(),
            "lot_size": st.sampled_from([0.0, 10.0]),
        }
    ),
    st.sampled_from([0.0, 0.6, 1.0]),
)


def whole_bars(block: Block, seed: int) -> Block:
    """Return the block with highs, lows and volumes."""
    rng = np.random.default_rng(seed)
    opened, close = block.fields["open"], block.fields["close"]
    high = np.maximum(opened, close) * (1 + rng.random(close.shape) * 0.03)
    low = np.minimum(opened, close) * (1 - rng.random(close.shape) * 0.03)
    return Block(block.symbols, block.ts, block.session, {**block.fields, "high": high, "low": low})


def played(state: OrderState, block: Block, known: Any, on_bar: Any) -> Played:
    """Have a strategy decide bar by bar; what it sees is what is traded."""
    seen = Bars(symbols=block.symbols, ts=block.ts, session=block.session, fields=block.fields)
    return Player(state, 0, on_bar).play(block, known, seen)
