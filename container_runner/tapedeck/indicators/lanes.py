"""Arrays as indicators work on them: a contiguous lane for each symbol, whatever the caller's memory order is."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def floats(values: ArrayLike) -> Array:
    """Return values as float64; raises `ValueError` unless they are of shape (bars,) or (bars, symbols)."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2):
        raise ValueError(f"an indicator takes an array of shape (bars,) or (bars, symbols), not {array.shape}")
    return array


def alike(**named: ArrayLike) -> list[Array]:
    """Return several arrays as float64; raises `ValueError`, which names them, unless all have one shape."""
    arrays = [floats(values) for values in named.values()]
    if len({array.shape for array in arrays}) != 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in zip(named, arrays, strict=True))
        raise ValueError(f"the arrays have different shapes: {shapes}")
    return arrays


def checked(window: int) -> int:
    """Return a window; raises `ValueError` unless it is a count of bars."""
    if isinstance(window, bool) or not isinstance(window, int | np.integer) or window < 1:
        raise ValueError(f"the window is a whole number of bars, at least 1, not {window!r}")
    return int(window)


def lanes(array: Array) -> Array:
    """Return shape (symbols, bars), C-ordered: no copy of an array of shape (bars,) or in Fortran order."""
    return np.ascontiguousarray(array.T if array.ndim == 2 else array[None])


def like(array: Array, result: Array) -> Array:
    """Return lanes in the shape and memory order of `array`."""
    if array.ndim == 1:
        return result.reshape(-1)
    bar_major = array.flags.c_contiguous and not array.flags.f_contiguous
    return np.ascontiguousarray(result.T) if bar_major else result.T
