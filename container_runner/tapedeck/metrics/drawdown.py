"""How far equity fell below its highest point so far, the starting cash included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Drawdown:
    """The deepest fall: a fraction <= 0, and the points (0 = the starting cash) of peak, trough and recovery."""

    depth: float
    peak: int
    trough: int
    recovery: int | None  # None: not recovered by the end


def series(equity: Array, start_cash: float) -> Array:
    """Return E / cummax(E) - 1 at each of `equity`'s points, (n,); the starting cash is the first peak."""
    highest = np.maximum(np.maximum.accumulate(equity), start_cash)
    result: Array = equity / highest - 1.0
    return result


def deepest(points: Array) -> Drawdown:
    """Return the deepest drawdown of `points`, whose first is the starting cash; the first of several equally deep."""
    below = points / np.maximum.accumulate(points) - 1.0
    trough = int(np.argmin(below))
    peak = int(np.flatnonzero(below[: trough + 1] == 0)[-1])
    recovered = np.flatnonzero(points[trough:] >= points[peak])
    return Drawdown(float(below[trough]), peak, trough, trough + int(recovered[0]) if len(recovered) else None)
