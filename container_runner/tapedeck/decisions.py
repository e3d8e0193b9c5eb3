"""From what a strategy returns to target weights: float64 of the shape of its bars, or an error that says why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tapedeck.bars import Array, Bars


class DecisionError(ValueError):
    """A strategy returned something that cannot be target weights."""


def as_decisions(value: object, bars: Bars, what: str = "weights") -> Array:
    """Return `value` as C-ordered float64 of `bars.shape`; NaN = leave the position alone.

    Raises `DecisionError` when it is no array of numbers, has another shape, or holds an infinite weight.
    """
    if value is None:
        raise DecisionError(f"{what} returned None: return an array of shape {bars.shape}")
    try:
        weights = np.array(value, dtype=np.float64, order="C")  # a copy: what was decided does not change afterwards
    except (TypeError, ValueError) as error:
        raise DecisionError(f"{what} returned {type(value).__name__}, which is no array of numbers ({error})") from None
    if weights.shape != bars.shape:
        raise DecisionError(
            f"{what} have shape {weights.shape}, expected {bars.shape}: {len(bars)} bars x {bars.width} symbols"
        )
    infinite = np.argwhere(np.isinf(weights))
    if len(infinite):
        row, column = (int(i) for i in infinite[0])
        one, bar = "weight" if what == "weights" else "target", f"{bars.time[row]} UTC"
        raise DecisionError(f"the {one} of {bars.symbols[column]} at bar {bar} is {weights[row, column]}")
    return weights
