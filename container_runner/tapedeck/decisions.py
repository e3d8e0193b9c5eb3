"""From what a strategy returns to target weights: float64 of the shape of its bars, or an error that says why not."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from tapedeck.compiled import holds_infinite
from tapedeck.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tapedeck.bars import Array, Bars

_SLAB = 256  # bars turned from symbol-major at a time: they stay in the processor's cache


class DecisionError(ValueError):
    """A strategy returned something that cannot be target weights."""


def as_decisions(value: object, bars: Bars, what: str = "weights", *, copy: bool = True) -> Array:
    """Return `value` as float64 of `bars.shape`; NaN = leave the position alone.

    A copy, symbol-major (order "F"), which does not change afterwards; with `copy=False` only what has to be one: for
    who is done with the decisions before the strategy's code runs again.

    A dict or a table (pandas) with symbols as names is put into the order of `bars.symbols`; symbols that it
    leaves out are left alone. Raises `DecisionError` when it is no array of numbers, has another shape, names a symbol
    that is not in the run, or holds an infinite weight.
    """
    if value is None:
        raise DecisionError(f"{what} returned None: return an array of shape {bars.shape}")
    try:
        named = _by_symbol(value, bars, what)
        made = value if named is None else named
        weights = np.array(made, np.float64, order="F") if copy else np.asarray(made, np.float64)
    except DecisionError:
        raise
    except (TypeError, ValueError) as error:
        raise DecisionError(f"{what} returned {type(value).__name__}, which is no array of numbers ({error})") from None
    if weights.shape != bars.shape:
        raise DecisionError(
            f"{what} have shape {weights.shape}, expected {bars.shape}: {len(bars)} bars x {bars.width} symbols"
        )
    if not _whole_numbers(made) and holds_infinite(weights):
        row, column = (int(i) for i in np.argwhere(np.isinf(weights))[0])
        one, bar = "weight" if what == "weights" else "target", f"{bars.time[row]} UTC"
        raise DecisionError(f"the {one} of {bars.symbols[column]} at bar {bar} is {weights[row, column]}")
    return weights


@contextmanager
def asking(what: str, bars: Bars) -> Iterator[None]:
    """Say on which bars a method was asked, where it raises."""
    try:
        yield
    except Exception as error:
        if len(bars):
            first, last = (np.datetime_as_string(bars.time[at], unit="m").replace("T", " ") for at in (0, -1))
            error.add_note(f"in {what}(bars) on the bars from {first} to {last} UTC, history included")
        raise


def _by_symbol(value: Any, bars: Bars, what: str) -> Array | None:
    """Return a table's columns in the order of `bars.symbols`; None for what is no table with names."""
    names = list(value if isinstance(value, dict) else getattr(value, "columns", ()))
    if not any(isinstance(name, str) for name in names):
        return None
    for name in names:
        if name not in bars.symbols:
            hint = did_you_mean(str(name), bars.symbols)
            raise DecisionError(f"{what} are for {name!r}, which is not in this run{hint}")
    if len(set(names)) < len(names):
        raise DecisionError(f"{what} have a symbol twice: {', '.join(map(str, names))}")
    index: Any = getattr(value, "index", None)
    dated = getattr(getattr(index, "dtype", None), "kind", "") == "M"
    if dated and not np.array_equal(index.to_numpy(dtype="M8[us]"), bars.time):
        raise DecisionError(f"the rows of {what} are not the bars: {len(index)} times, expected those of bars.time")
    weights = np.full(bars.shape, np.nan, order="F")
    for name in names:
        column = np.asarray(value[name], dtype=np.float64)
        if column.shape != (len(bars),):
            raise DecisionError(
                f"{what} of {name} have shape {column.shape}, expected ({len(bars)},): one for each bar"
            )
        weights[:, bars.symbols.index(name)] = column
    return weights


def _whole_numbers(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "biu"  # True and False above all: none is infinite


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
