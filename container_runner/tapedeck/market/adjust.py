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


def forward_factors(  # noqa: PLR0917 -- engine, runner and tests agreed on this order
    splits: Iterable[Split],
    dividends: Iterable[Dividend],
    closes_for_total: Mapping[Dividend, float] | None,
    symbols: Sequence[str],
    session: NDArray[np.int32],
    anchor: date,
    mode: Mode,
) -> NDArray[np.float64]:
    """Return factors (n, s) with signal price = raw price * factor, for rows of these sessions (ascending).

    "split" undoes splits; "total" also dividends, by close / (close - amount) with the raw close before the ex-date
    (`reader.dividend_closes`; a dividend without one, or not below it, is left out); "raw" is all ones.
    """
    factors = np.ones((len(session), len(symbols)))
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
        if day > base:
            factors[row:, column[symbol]] *= ratio
        else:
            factors[:row, column[symbol]] /= ratio
    return factors


def adjusted(
    block: Block, factors: NDArray[np.float64], volume_factors: NDArray[np.float64] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Return the block's fields as signals see them: prices * factors, volume / `volume_factors`.

    Volume follows splits only: for mode "total" pass the factors of mode "split" for it; by default it takes `factors`.
    """
    by = factors if volume_factors is None else volume_factors
    return {name: values / by if name == "volume" else values * factors for name, values in block.fields.items()}
