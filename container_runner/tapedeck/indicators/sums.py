"""Sums over windows by the compiled windows.c: the bytes of `windows.tree` in one pass through memory."""

from __future__ import annotations

import ctypes
from ctypes import c_double, c_int32, c_int64, c_void_p

import numpy as np

from tapedeck import compiled
from tapedeck.indicators.lanes import Array, lanes, like


def sums(array: Array, window: int, divisor: float) -> Array | None:
    """Return sums over full windows / `divisor`, NaN before, in the order of `array`; None if nothing is compiled."""
    library = compiled.library()
    if library is None:
        return None
    source: Array = np.atleast_2d(array.T)
    step, along = source.strides
    if along != source.itemsize or step % source.itemsize or not source.flags.aligned:
        source = lanes(array)
        step = source.strides[0]
    count, length = len(source), len(array)
    result = np.empty((count, length))
    if window > length:
        result.fill(np.nan)
    elif _function(library)(source.ctypes.data, step // 8, result.ctypes.data, length, count, length, window, divisor):
        raise MemoryError(f"no memory is left for sums over windows of {window} bars")
    return like(array, result)


def _function(library: ctypes.CDLL) -> ctypes._NamedFuncPointer:
    function = library.window_sums
    function.argtypes = [c_void_p, c_int64, c_void_p, c_int64, c_int64, c_int64, c_int64, c_double]
    function.restype = c_int32
    return function
