"""Signals across splits and dividends: prices adjusted forward from the run's first session.

At the anchor the factor is 1. What happens later multiplies what comes later, so a price once seen never changes,
and an array is causal at every row whatever chunk it came in. History before the anchor is brought to its scale.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tapedeck.market.actions import Dividend, Split
from tapedeck.market.block import Block
from tapedeck.market.calendar import day_number

Mode = Literal["split", "total", "raw"]
Array = NDArray[np.float64]
Factors = Mapping[int, Array]  # by column: (n,); a column that is not there has 1 in every row


def forward_factors(  # noqa: PLR0917 -- engine, runner and tests agreed on this order
    splits: Iterable[Split],
    dividends: Iterable[Dividend],
    closes_for_total: Mapping[Dividend, float] | None,
    symbols: Sequence[str],
    session: NDArray[np.int32],
    anchor: date,
    mode: Mode,
) -> Factors:
    """Return factors with signal price = raw price * factor, for rows of these sessions (ascending).

    "split" undoes splits; "total" also dividends, by close / (close - amount) with the raw close before the ex-date
    (`reader.dividend_closes`; a dividend without one, or not below it, is left out); "raw" has none.
    """
    factors: dict[int, Array] = {}
    if mode == "raw":
        return factors
    steps = [(split.session, split.symbol, split.ratio) for split in splits]
    if mode == "total":
        closes = closes_for_total or {}
        for paid in dividends:
            close = closes.get(paid)
            if close is not None and paid.amount < close:
                steps.append((paid.session, paid.symbol, close / (close - paid.amount)))
    column = {symbol: at for at, symbol in enumerate(symbols)}
    base = day_number(anchor)
    for when, symbol, ratio in sorted(steps):
        if symbol not in column:
            continue
        day = day_number(when)
        row = int(np.searchsorted(session, day))
        rows = slice(row, None) if day > base else slice(row)
        if row == (len(session) if day > base else 0):
            continue
        factor = factors.setdefault(column[symbol], np.ones(len(session)))
        factor[rows] = factor[rows] * ratio if day > base else factor[rows] / ratio
    return factors


def adjusted(block: Block, factors: Factors, volume_factors: Factors | None = None) -> dict[str, Array]:
    """Return the block's fields as signals see them: prices * factors, volume / `volume_factors`.

    Volume follows splits only: for mode "total" pass the factors of mode "split" for it; by default it takes `factors`.
    A field that nothing changes is the block's own array.
    """
    by = factors if volume_factors is None else volume_factors
    return {name: _adjusted(name, values, by if name == "volume" else factors) for name, values in block.fields.items()}


def seen(name: str, values: Array, factor: Array) -> Array:
    """Return a field's values (n,) of one symbol as signals see them."""
    return values / factor if name == "volume" else values * factor


def _adjusted(name: str, values: Array, factors: Factors) -> Array:
    if not factors:
        return values
    result = values.copy(order="F")
    for at, factor in factors.items():
        result[:, at] = seen(name, values[:, at], factor)
    return result
