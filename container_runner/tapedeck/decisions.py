"""From what a strategy returns to target weights: float64 of the shape of its bars, or an error that says why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tapedeck.bars import Array, Bars

_SLAB = 256  # bars turned from symbol-major at a time: they stay in the processor's cache


class DecisionError(ValueError):
    """A strategy returned something that cannot be target weights."""


def as_decisions(value: object, bars: Bars, what: str = "weights") -> Array:
    """Return `value` as symbol-major (order "F") float64 of `bars.shape`; NaN = leave the position alone.

    Raises `DecisionError` when it is no array of numbers, has another shape, or holds an infinite weight.
    """
    if value is None:
        raise DecisionError(f"{what} returned None: return an array of shape {bars.shape}")
    try:
        weights = np.array(value, dtype=np.float64, order="F")  # a copy: what was decided does not change afterwards
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


def to_bytes(decisions: Array) -> bytes:
    """Return decisions (rows, symbols) as they are handed out: float64, little endian, symbol-major."""
    return np.ascontiguousarray(decisions.T, "<f8").tobytes()


def from_bytes(sealed: bytes, rows: int, symbols: Sequence[str]) -> Array:
    """Return sealed decisions as an array (rows, symbols), symbol-major, without a copy."""
    return np.frombuffer(sealed, "<f8").reshape(len(symbols), rows).T


def by_bar(decisions: Array) -> Iterator[memoryview]:
    """Yield decisions (rows, symbols) bar by bar: the bytes of which a run's digest is, however it was cut."""
    for start in range(0, len(decisions), _SLAB):
        yield np.ascontiguousarray(decisions[start : start + _SLAB], "<f8").data
