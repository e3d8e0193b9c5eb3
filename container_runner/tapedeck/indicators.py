"""Indicators on arrays: float64 of shape (bars,) or (bars, symbols), NaN until there are enough bars.

The windowed ones look at their window only: a value is the same to the bit however the array is cut, because the
window's bars are added one after the other, oldest first. A NaN makes the windows that hold it NaN, and no later one.
`ema` and `rsi` remember: they start with the array, step over NaN, and need a longer lookback to settle.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

BLOCK = 1 << 16  # values worked on at once, to stay in the processor's cache


def _windowed(kernel: Callable[[Array, int], Array]) -> Callable[[ArrayLike, int], Array]:
    """Make an indicator of a kernel that maps rows [0, n) to the n - window + 1 values of the full windows."""

    @wraps(kernel)
    def indicator(values: ArrayLike, window: int) -> Array:
        array = _floats(values)
        window = _checked(window)
        result = np.full(array.shape, np.nan)
        rows = max(1, BLOCK // max(1, array[:1].size))
        for first in range(0, len(array) - window + 1, rows):
            last = min(first + rows, len(array) - window + 1)
            result[first + window - 1 : last + window - 1] = kernel(array[first : last + window - 1], window)
        return result

    return indicator


def _fold(array: Array, window: int, combine: np.ufunc) -> Array:
    """Combine each window's rows into one, oldest first."""
    count = len(array) - window + 1
    total = array[:count].copy()
    for k in range(1, window):
        combine(total, array[k : k + count], out=total)
    return total


@_windowed
def rolling_sum(array: Array, window: int) -> Array:
    """Return the sum over the last `window` bars."""
    return _fold(array, window, np.add)


@_windowed
def rolling_min(array: Array, window: int) -> Array:
    """Return the least value of the last `window` bars."""
    return _fold(array, window, np.minimum)


@_windowed
def rolling_max(array: Array, window: int) -> Array:
    """Return the greatest value of the last `window` bars."""
    return _fold(array, window, np.maximum)


@_windowed
def sma(array: Array, window: int) -> Array:
    """Return the simple moving average over the last `window` bars."""
    return _fold(array, window, np.add) / window


@_windowed
def wma(array: Array, window: int) -> Array:
    """Return the moving average with weights 1, 2, ... `window`, the newest bar the heaviest."""
    count = len(array) - window + 1
    total = array[:count].copy()
    for k in range(1, window):
        total += (k + 1) * array[k : k + count]
    return total / (window * (window + 1) / 2)


@_windowed
def rolling_std(array: Array, window: int) -> Array:
    """Return the sample standard deviation (ddof=1) over the last `window` bars; NaN for a window of one."""
    count = len(array) - window + 1
    if window == 1:
        return np.full_like(array, np.nan)
    mean = _fold(array, window, np.add) / window
    total = (array[:count] - mean) ** 2
    for k in range(1, window):
        total += (array[k : k + count] - mean) ** 2
    return np.sqrt(total / (window - 1))


def zscore(values: ArrayLike, window: int) -> Array:
    """Return (value - sma) / rolling_std; NaN where the window does not vary."""
    array = _floats(values)
    spread = rolling_std(array, window)
    spread[spread == 0] = np.nan
    return (array - sma(array, window)) / spread


def ema(values: ArrayLike, window: int) -> Array:
    """Return the exponential moving average, alpha = 2 / (window + 1), begun with the mean of `window` values."""
    window = _checked(window)
    return _smoothed(_floats(values), window, 2.0 / (window + 1))


def rsi(values: ArrayLike, window: int = 14) -> Array:
    """Return Wilder's relative strength index, 0 to 100; 50 where the price has not moved."""
    window = _checked(window)
    change = _changes(_floats(values))
    up = _smoothed(np.maximum(change, 0.0), window, 1.0 / window)
    down = _smoothed(np.maximum(-change, 0.0), window, 1.0 / window)
    moved = up + down
    still = moved == 0
    result: Array = 100.0 * up / np.where(still, 1.0, moved)
    result[still] = 50.0
    return result


def crossover(a: ArrayLike, b: ArrayLike) -> NDArray[np.bool_]:
    """Return True at the bars where `a` comes to lie above `b`, having been at or below it one bar before."""
    first, second = np.broadcast_arrays(_floats(a), _floats(b))
    result = np.zeros(first.shape, dtype=np.bool_)
    result[1:] = (first[1:] > second[1:]) & (first[:-1] <= second[:-1])
    return result


def _smoothed(array: Array, window: int, alpha: float) -> Array:
    """Exponential smoothing down the rows, column by column; a NaN is stepped over."""
    result = np.full(array.shape, np.nan)
    seen = np.zeros(array.shape[1:], dtype=np.int64)
    total = np.zeros(array.shape[1:])
    for row, out in zip(array, result[..., None], strict=True):
        ok = ~np.isnan(row)
        seen = seen + ok
        begun = seen > window
        total = np.where(ok, np.where(begun, total + alpha * (row - total), total + row), total)
        total = np.where(ok & (seen == window), total / window, total)
        out[..., 0] = np.where(ok & (seen >= window), total, np.nan)
    return result


def _changes(array: Array) -> Array:
    """Return each value less the last one before it that is not NaN; NaN at the first value."""
    place = np.arange(len(array)).reshape(-1, *[1] * (array.ndim - 1))
    last = np.maximum.accumulate(np.where(np.isnan(array), -1, place), axis=0)
    result = np.full(array.shape, np.nan)
    before = last[:-1]
    known = np.take_along_axis(array, np.maximum(before, 0), axis=0)
    result[1:] = np.where(before >= 0, array[1:] - known, np.nan)
    return result


def _floats(values: ArrayLike) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2):
        raise ValueError(f"an indicator takes an array of shape (bars,) or (bars, symbols), not {array.shape}")
    return array


def _checked(window: int) -> int:
    if isinstance(window, bool) or not isinstance(window, int | np.integer) or window < 1:
        raise ValueError(f"the window is a whole number of bars, at least 1, not {window!r}")
    return int(window)
