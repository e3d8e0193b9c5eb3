"""Indicators that look at their window only, in a number of passes that grows with its logarithm.

A window is joined out of parts of 1, 2, 4 ... bars, each made of two of half its length: `tree`. Which parts depends on
the window's length alone, so a value is the same to the bit however the array is cut, and no error builds up along the
array as it does in running sums. A NaN makes the windows that hold it NaN, and no later one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapedeck.indicators.lanes import Array, checked, floats, lanes, like
from tapedeck.indicators.recall import remembered
from tapedeck.indicators.sums import sums

BLOCK = 1 << 15  # values worked on at once, to stay in the processor's cache

Value = TypeVar("Value", Array, float)
Part = tuple[Value, ...]  # what is known of some bars in a row


def join_sums(a: Part[Value], _: int, b: Part[Value], __: int) -> Part[Value]:
    """Join (sum,) of older bars and of newer ones."""
    return (a[0] + b[0],)


def join_weighted(a: Part[Value], older: int, b: Part[Value], _: int) -> Part[Value]:
    """Join (sum with weights 1, 2, ..., sum): the newer bars' weights go on from the `older` ones'."""
    return a[0] + (b[0] + older * b[1]), a[1] + b[1]


def join_moments(a: Part[Value], older: int, b: Part[Value], newer: int) -> Part[Value]:
    """Join (mean, sum of squared distances from it), after Chan, Golub and LeVeque (1979)."""
    apart, part = b[0] - a[0], newer / (older + newer)
    return a[0] + apart * part, a[1] + b[1] + apart * apart * (older * part)


_Indicator = Callable[[ArrayLike, int], Array]
Join = Callable[[tuple[Array, ...], int, tuple[Array, ...], int], tuple[Array, ...]]


def tree(leaves: tuple[Array, ...], window: int, join: Join) -> tuple[Array, ...]:
    """Return what `join` makes of each full window's bars; arrays of shape (m, bars) to (m, bars - window + 1)."""
    count = leaves[0].shape[1] - window + 1
    parts, size = leaves, 1  # at i: of the bars [i, i + size)
    whole, done = leaves, 0  # at i: of the window's first `done` bars
    while True:
        if window & size:
            part = tuple(values[:, done : done + count] for values in parts)
            whole = join(whole, done, part, size) if done else part
            done += size
        if done == window:
            return whole
        parts = join(
            tuple(values[:, :-size] for values in parts), size, tuple(values[:, size:] for values in parts), size
        )
        size *= 2


def _windowed(kernel: Callable[[Array, int], Array]) -> Callable[[ArrayLike, int], Array]:
    """Make an indicator of a kernel that maps bars [0, n) of some lanes to the values of their full windows."""

    @wraps(kernel)
    def indicator(values: ArrayLike, window: int) -> Array:
        array, window = floats(values), checked(window)
        source = lanes(array)
        result = np.empty(source.shape)
        result[:, : window - 1] = np.nan
        for some, first, last in _blocks(len(source), source.shape[1], window):
            result[some, first + window - 1 : last] = kernel(source[some, first:last], window)
        return like(array, result)

    return indicator


def _blocks(width: int, length: int, window: int) -> Iterator[tuple[slice, int, int]]:
    """Yield lanes and bars to be worked on at once; a block's bars begin with the last one's last window."""
    count = length - window + 1
    many = max(1, BLOCK // max(1, length))
    for top in range(0, width, many):
        for first in range(0, count, BLOCK):
            yield slice(top, top + many), first, min(first + BLOCK, count) + window - 1


def _compiled(*, mean: bool) -> Callable[[_Indicator], _Indicator]:
    """Let the compiled sums go first, where they were built; what is decorated says what comes out."""

    def decorate(reference: _Indicator) -> _Indicator:
        @wraps(reference)
        def indicator(values: ArrayLike, window: int) -> Array:
            array, window = floats(values), checked(window)
            done = sums(array, window, float(window) if mean else 1.0)
            return reference(array, window) if done is None else done

        return indicator

    return decorate


_remembered = partial(remembered, windowed=True)


@_remembered
@_compiled(mean=False)
@_windowed
def rolling_sum(array: Array, window: int) -> Array:
    """Return the sum over the last `window` bars."""
    return tree((array,), window, join_sums)[0]


@_remembered
@_compiled(mean=True)
@_windowed
def sma(array: Array, window: int) -> Array:
    """Return the simple moving average: sum(x[t - window + 1 ... t]) / window."""
    return tree((array,), window, join_sums)[0] / window


@_remembered
@_windowed
def wma(array: Array, window: int) -> Array:
    """Return the moving average with weights 1, 2, ... `window`, the newest bar the heaviest."""
    return tree((array, array), window, join_weighted)[0] / (window * (window + 1) / 2)


@_remembered
@_windowed
def rolling_std(array: Array, window: int) -> Array:
    """Return the sample standard deviation (ddof=1) over the last `window` bars; NaN for a window of one."""
    if window == 1:
        return np.full_like(array, np.nan)
    return np.sqrt(tree((array, np.zeros_like(array)), window, join_moments)[1] / (window - 1))


@_remembered
@_windowed
def rolling_min(array: Array, window: int) -> Array:
    """Return the least value of the last `window` bars."""
    return _extreme(array, window, np.minimum)


@_remembered
@_windowed
def rolling_max(array: Array, window: int) -> Array:
    """Return the greatest value of the last `window` bars."""
    return _extreme(array, window, np.maximum)


@_remembered
@_windowed
def rolling_rank(array: Array, window: int) -> Array:
    """Return the newest bar's rank among the last `window`: 1 the least, `window` the greatest, ties their mean.

    Divided by `window` it is the percentile that `pandas.Series.rolling(window).rank(pct=True)` gives. Takes a pass for
    each bar of the window.
    """
    newest = array[:, window - 1 :]
    twice = np.ones(newest.shape, dtype=np.int32)  # 2 x rank = 1 + (how many are less) + (how many are not greater)
    for k in range(window):
        other = array[:, k : k + newest.shape[1]]
        twice += other < newest
        twice += other <= newest
    return np.where(np.isnan(_extreme(array, window, np.minimum)), np.nan, twice * 0.5)


def zscore(values: ArrayLike, window: int) -> Array:
    """Return (value - sma) / rolling_std; NaN where the window does not vary."""
    array = floats(values)
    spread = rolling_std(array, window)
    result: Array = (array - sma(array, window)) / np.where(spread == 0, np.nan, spread)
    return result


class Bands(NamedTuple):
    """Bollinger bands, each of the shape of the values."""

    lower: Array
    middle: Array
    upper: Array


def bollinger(values: ArrayLike, window: int = 20, deviations: float = 2.0) -> Bands:
    """Return sma -/+ `deviations` x the population standard deviation (ddof=0), over the last `window` bars.

    After J. Bollinger, "Bollinger on Bollinger Bands" (2001): the population's deviation, unlike `rolling_std`.
    """
    array = floats(values)
    middle, away = sma(array, window), deviations * _population_std(array, window)
    return Bands(middle - away, middle, middle + away)


def crossover(a: ArrayLike, b: ArrayLike) -> NDArray[np.bool_]:
    """Return True at the bars where `a` comes to lie above `b`, having been at or below it one bar before.

    False at the first bar and where either is NaN at one of the two bars. `b` may be one number.
    """
    first, second = np.broadcast_arrays(floats(a), np.asarray(b, np.float64))
    above = first > second
    result = np.zeros_like(above)  # in the memory order of the inputs
    np.logical_and(above[1:], first[:-1] <= second[:-1], out=result[1:])
    return result


@_remembered
@_windowed
def _population_std(array: Array, window: int) -> Array:
    return np.sqrt(tree((array, np.zeros_like(array)), window, join_moments)[1] / window)


def _extreme(array: Array, window: int, pick: np.ufunc) -> Array:
    """Pick from two parts that cover the window between them: the longest power of two, from either end."""
    size = 1
    while size * 2 <= window:
        array = pick(array[:, :-size], array[:, size:])
        size *= 2
    rest = window - size
    result: Array = pick(array[:, : array.shape[1] - rest], array[:, rest:]) if rest else array
    return result
