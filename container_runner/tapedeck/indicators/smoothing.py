"""Indicators that remember all bars since their first: `ema`, `rsi`, `atr`, `macd`, and the objects behind them.

They start with the array, so a later start gives other values until they have settled. Where that matters, keep an
object for the whole run: ``self.average = Ema(50)`` in `__init__`, ``self.average.over(bars, bars.close)`` in
`weights`, or ``self.average.update(bar["AAPL"].signal)`` in `on_bar`. Its values do not depend on how the run is cut.
A bar without a value is stepped over: NaN there, and nothing forgotten.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapedeck.indicators.lanes import Array, alike, checked, floats, lanes, like
from tapedeck.indicators.recall import remembered
from tapedeck.indicators.recursion import Recursion


class Rows(Protocol):
    """What `over` asks of bars: their starts, (n,), rising."""

    @property
    def ts(self) -> NDArray[np.int64]: ...  # noqa: D102 - the class says it


class _Remembering:
    """An indicator of one or several fields, one value a bar; `_fields` names them."""

    _fields: tuple[str, ...] = ("values",)

    def __init__(self) -> None:
        self._symbols: list[_Remembering] | None = None  # of `over`: one of these for each
        self._ts: NDArray[np.int64] = np.empty(0, np.int64)
        self._known: Array = np.empty((0, 0))

    def extend(self, *fields: Array) -> Array:
        """Take one symbol's next bars, (n,) each; return the indicator, (n,)."""
        raise NotImplementedError

    def over(self, bars: Rows, *values: ArrayLike) -> Array:
        """Take arrays of the shape of `bars`; return the indicator as it is when it began with the run's first bar.

        Bars that it has seen before, as history of the chunk, are answered from memory, which reaches back as far as
        the last call's bars. Use an object for `over` or for `update`, not for both.
        """
        arrays = alike(**dict(zip(self._fields, values, strict=True)))
        if len(bars.ts) != len(arrays[0]):
            raise ValueError(f"{len(arrays[0])} values do not fit {len(bars.ts)} bars")
        sources = [lanes(array) for array in arrays]
        width = len(sources[0])
        if self._symbols is None:
            self._symbols, self._known = [self._anew() for _ in range(width)], np.empty((width, 0))
        if len(self._symbols) != width:
            raise ValueError(f"this object has seen {len(self._symbols)} symbols so far, not {width}")
        new = int(np.searchsorted(bars.ts, self._ts[-1], side="right")) if len(self._ts) else 0
        result = np.full(sources[0].shape, np.nan)
        result[:, :new] = self._remembered(bars.ts[:new])
        for index, one in enumerate(self._symbols):
            result[index, new:] = one.extend(*(source[index, new:] for source in sources))
        self._ts, self._known = bars.ts.copy(), result.copy()
        return like(arrays[0], result)

    def _anew(self) -> _Remembering:
        """Return one like this, before its first bar."""
        raise NotImplementedError

    def _remembered(self, ts: NDArray[np.int64]) -> Array:
        """Return what was answered for the bars at `ts`, NaN where that is forgotten."""
        place = np.minimum(np.searchsorted(self._ts, ts), max(0, len(self._ts) - 1))
        if not len(place):
            return self._known[:, :0]
        return np.where(self._ts[place] == ts, self._known[:, place], np.nan)


class Ema(_Remembering):
    """`ema` as an object: `update` bar by bar, or `over` whole chunks."""

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window = checked(window)
        self._smooth = Recursion(self.window, 2.0 / (self.window + 1))

    def update(self, value: float) -> float:
        """Take the next bar's value; return the average at this bar, NaN until it is warm."""
        return self._smooth.update(float(value))

    def extend(self, *fields: Array) -> Array:
        """Take one symbol's next bars, (n,); return the averages."""
        return self._smooth.extend(fields[0])

    def _anew(self) -> _Remembering:
        return type(self)(self.window)


class Rsi(_Remembering):
    """`rsi` as an object: `update` bar by bar, or `over` whole chunks."""

    def __init__(self, window: int = 14) -> None:
        super().__init__()
        self.window = checked(window)
        self._last = math.nan
        self._up, self._down = (Recursion(self.window, 1.0 / self.window) for _ in range(2))

    def update(self, value: float) -> float:
        """Take the next bar's value; return the index at this bar, 0 to 100, NaN until it is warm."""
        if math.isnan(value):
            return math.nan
        change, self._last = float(value) - self._last, float(value)
        up, down = self._up.update(max(change, 0.0)), self._down.update(max(-change, 0.0))
        moved = up + down
        return 100.0 * up / moved if moved else 50.0

    def extend(self, *fields: Array) -> Array:
        """Take one symbol's next bars, (n,); return the index."""
        change = fields[0] - self._before(fields[0])
        up, down = self._up.extend(np.maximum(change, 0.0)), self._down.extend(np.maximum(-change, 0.0))
        moved = up + down
        still = moved == 0
        result: Array = 100.0 * up / np.where(still, 1.0, moved)
        result[still] = 50.0
        return result

    def _before(self, lane: Array) -> Array:
        before, self._last = before_each(lane, self._last)
        return before

    def _anew(self) -> _Remembering:
        return type(self)(self.window)


class Atr(_Remembering):
    """`atr` as an object: `update` bar by bar, or `over` whole chunks."""

    _fields = ("high", "low", "close")

    def __init__(self, window: int = 14) -> None:
        super().__init__()
        self.window = checked(window)
        self._last = math.nan
        self._smooth = Recursion(self.window, 1.0 / self.window)

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar; return the average true range at it, NaN until it is warm."""
        if math.isnan(high + low + close):
            return math.nan
        before, self._last, reach = self._last, float(close), float(high) - float(low)
        if not math.isnan(before):
            reach = max(reach, abs(high - before), abs(low - before))
        return self._smooth.update(reach)

    def extend(self, *fields: Array) -> Array:
        """Take high, low and close of one symbol's next bars, (n,) each; return the average true range."""
        high, low, close = fields
        missing = np.isnan(high) | np.isnan(low)
        before, self._last = before_each(np.where(missing, np.nan, close), self._last)
        reach = np.fmax(high - low, np.fmax(np.abs(high - before), np.abs(low - before)))
        return self._smooth.extend(np.where(missing | np.isnan(close), np.nan, reach))

    def _anew(self) -> _Remembering:
        return type(self)(self.window)


class MacdValues(NamedTuple):
    """Moving average convergence and divergence: numbers of a bar, or arrays of the shape of the values."""

    line: Array
    signal: Array
    histogram: Array


class Macd:
    """`macd` as an object: `update` bar by bar, or `over` whole chunks."""

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        self._fast, self._slow, self._signal = Ema(fast), Ema(slow), Ema(signal)

    def update(self, value: float) -> tuple[float, float, float]:
        """Take the next bar's value; return line, signal and histogram at this bar, NaN until each is warm."""
        line = self._fast.update(value) - self._slow.update(value)
        signal = self._signal.update(line)
        return line, signal, line - signal

    def over(self, bars: Rows, values: ArrayLike) -> MacdValues:
        """Take values of the shape of `bars`; see `Ema.over`."""
        line = self._fast.over(bars, values) - self._slow.over(bars, values)
        signal = self._signal.over(bars, line)
        return MacdValues(line, signal, line - signal)


@remembered
def ema(values: ArrayLike, window: int) -> Array:
    """Return the exponential moving average: e += (x - e) x 2 / (window + 1), begun with the mean of `window` values.

    The recursion and its beginning are those of StockCharts' ChartSchool and of TA-Lib.
    """
    return _each(Ema(window), floats(values))


@remembered
def rsi(values: ArrayLike, window: int = 14) -> Array:
    """Return the relative strength index, 0 to 100; 50 where the price has not moved.

    100 x u / (u + d), u and d the rises and falls from bar to bar, smoothed by e += (x - e) / window after a mean of
    `window`: J. W. Wilder, "New Concepts in Technical Trading Systems" (1978).
    """
    return _each(Rsi(window), floats(values))


@remembered
def atr(high: ArrayLike, low: ArrayLike, close: ArrayLike, window: int = 14) -> Array:
    """Return the average true range, in the prices' unit.

    The true range is max(high - low, |high - c|, |low - c|), c the close before (the first bar's is high - low); it is
    smoothed by e += (x - e) / window after a mean of `window`: Wilder (1978), begun as in StockCharts' ChartSchool.
    """
    return _each(Atr(window), *alike(high=high, low=low, close=close))


@remembered
def macd(values: ArrayLike, fast: int = 12, slow: int = 26, signal: int = 9) -> MacdValues:
    """Return line = ema(fast) - ema(slow), signal = ema(line), histogram = line - signal, after G. Appel (1979)."""
    line = ema(values, fast) - ema(values, slow)
    average = ema(line, signal)
    return MacdValues(line, average, line - average)


def before_each(lane: Array, before: float) -> tuple[Array, float]:
    """Return the last value before each that is not NaN (`before` where there is none), and the lane's last one."""
    place = np.maximum.accumulate(np.where(np.isnan(lane), -1, np.arange(len(lane))))
    known = np.where(place >= 0, lane[np.maximum(place, 0)], before) if len(lane) else lane
    return np.concatenate([[before], known])[:-1], float(known[-1]) if len(known) else before


def _each(first: _Remembering, *arrays: Array) -> Array:
    """Return the indicator of each symbol, each with an object like `first`."""
    sources = [lanes(array) for array in arrays]
    result = np.empty(sources[0].shape)
    for index in range(len(result)):
        result[index] = first._anew().extend(*(source[index] for source in sources))
    return like(arrays[-1], result)
