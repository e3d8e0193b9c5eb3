"""Exponential smoothing of one symbol: the recursion that `ema`, `rsi` and `atr` share."""

from __future__ import annotations

import ctypes
import math
from ctypes import c_double, c_int64, c_void_p

import numpy as np

from tapedeck import compiled
from tapedeck.indicators.lanes import Array


class Recursion:
    """The mean of the first `window` values, then total += alpha x (value - total)."""

    __slots__ = ("alpha", "seen", "total", "window")

    def __init__(self, window: int, alpha: float) -> None:
        self.window = window
        self.alpha = alpha
        self.seen = 0  # values, of the first `window`
        self.total = 0.0

    def update(self, value: float) -> float:
        """Take one value; return the smoothed one, NaN for NaN and until there are `window`."""
        if math.isnan(value):
            return math.nan
        if self.seen >= self.window:
            self.total += self.alpha * (value - self.total)
            return self.total
        self.seen += 1
        self.total += value
        if self.seen < self.window:
            return math.nan
        self.total /= self.window
        return self.total

    def extend(self, lane: Array) -> Array:
        """Take values (n,); return the smoothed ones, to the bit those of `update`."""
        library = compiled.library()
        if library is None:
            return np.fromiter(map(self.update, lane.tolist()), np.float64, len(lane))
        values, out = np.ascontiguousarray(lane), np.empty(len(lane))
        total, seen = c_double(self.total), c_int64(self.seen)
        smooth = _function(library)
        state = ctypes.byref(total), ctypes.byref(seen)
        smooth(values.ctypes.data, out.ctypes.data, len(lane), self.window, self.alpha, *state)
        self.total, self.seen = total.value, seen.value
        return out


def _function(library: ctypes.CDLL) -> ctypes._NamedFuncPointer:
    function = library.smooth
    function.argtypes = [c_void_p, c_void_p, c_int64, c_int64, c_double, c_void_p, c_void_p]
    function.restype = None
    return function
