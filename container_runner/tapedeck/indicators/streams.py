"""Windowed indicators that take one value after the other: the same bits as the functions of the same name."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from tapedeck.indicators.lanes import checked
from tapedeck.indicators.windows import join_moments, join_sums, join_weighted

_Part = tuple[float, ...]


class _Level:
    """The parts of 2^k bars; `after`: the bars of the window behind the one of these that it is joined of, or -1."""

    __slots__ = ("after", "parts", "size")

    def __init__(self, size: int, after: int, nothing: _Part) -> None:
        self.size = size
        self.after = after
        length = max(size, after) + 1
        self.parts = deque([nothing] * length, maxlen=length)


class _Window:
    """One symbol's window, as `windows.tree` joins it: an update costs its logarithm."""

    def __init__(self, window: int) -> None:
        self.window = checked(window)
        ahead, self._levels = self.window, list[_Level]()
        for size in (1 << k for k in range(self.window.bit_length())):
            ahead -= self.window & size
            self._levels.append(_Level(size, ahead if self.window & size else -1, self._leaf(math.nan)))

    _join: Callable[..., _Part] = staticmethod(join_sums)

    def update(self, value: float) -> float:
        """Take the next bar's value; return the indicator at this bar, NaN until it is warm."""
        part, done, join = self._leaf(value), 0, self._join
        whole = part
        for level in self._levels:
            size, parts = level.size, level.parts
            parts.append(part)
            if level.after >= 0:
                chosen = parts[-1 - level.after]
                whole = join(whole, done, chosen, size) if done else chosen
                done += size
            if size * 2 <= self.window:
                part = join(parts[-1 - size], size, part, size)
        return self._value(whole)

    def _leaf(self, value: float) -> _Part:
        return (float(value),)

    def _value(self, whole: _Part) -> float:
        return whole[0]


class RollingSum(_Window):
    """`rolling_sum`, one bar at a time."""


class Sma(_Window):
    """`sma`, one bar at a time."""

    def _value(self, whole: _Part) -> float:
        return whole[0] / self.window


class Wma(_Window):
    """`wma`, one bar at a time."""

    _join = staticmethod(join_weighted)

    def _leaf(self, value: float) -> _Part:
        return float(value), float(value)

    def _value(self, whole: _Part) -> float:
        return whole[0] / (self.window * (self.window + 1) / 2)


class RollingStd(_Window):
    """`rolling_std`, one bar at a time."""

    _join = staticmethod(join_moments)

    def _leaf(self, value: float) -> _Part:
        return float(value), 0.0

    def _value(self, whole: _Part) -> float:
        return math.sqrt(whole[1] / (self.window - 1)) if self.window > 1 else math.nan
