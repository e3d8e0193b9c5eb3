"""The market as a strategy sees it: read-only arrays, a row for each bar, a column for each symbol."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tapedeck import tables
from tapedeck.fields import FIELDS
from tapedeck.suggest import did_you_mean

Array = NDArray[np.float64]
_T = TypeVar("_T", bound=np.generic)


class Fields:
    """Fields as attributes: `.close` is float64 of shape (bars, symbols); NaN price and 0 volume where no trade was."""

    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._names = tuple(name for name in FIELDS if name in arrays)
        for name in self._names:
            setattr(self, name, _read_only(arrays[name]))

    def __getattr__(self, name: str) -> Array:
        """Say what to do about a field that was not shipped."""
        if name.startswith("_"):
            raise AttributeError(name)
        names = self._names
        if name in FIELDS:
            wanted = ", ".join(repr(n) for n in FIELDS if n in names or n == name)
            raise AttributeError(f"the strategy asked for {', '.join(names)} only: write fields = ({wanted},)")
        known = [*names, *(n for n in dir(self) if not n.startswith("_"))]
        raise AttributeError(f"bars have no {name!r}{did_you_mean(name, known)}")

    def fields(self) -> dict[str, Array]:
        """Return the fields by name."""
        return {name: getattr(self, name) for name in self._names}

    def __array__(self, dtype: object = None, copy: bool | None = None) -> Array:
        raise TypeError("bars are no array: use bars.close, bars.open ...")


class Bars(Fields):
    """Bars of a run: prices adjusted for splits forward from the run's first bar, and `raw` ones.

    `ts`: int64 (bars,), the bar's start in microseconds since 1970, UTC. `session`: int32 (bars,), the session's day
    since 1970-01-01. `symbols`: their names, in column order.
    """

    def __init__(
        self,
        *,
        symbols: Sequence[str],
        ts: NDArray[np.int64],
        session: NDArray[np.int32],
        fields: Mapping[str, Array],
        raw: Mapping[str, Array] | None = None,
    ) -> None:
        super().__init__(fields)
        self.symbols = tuple(symbols)
        self.ts = _read_only(ts)
        self.session = _read_only(session)
        self.raw = Fields(fields if raw is None else raw)
        expected = (len(ts), len(self.symbols))
        for source in (fields, self.raw.__dict__):
            for name in FIELDS:
                if name in source and source[name].shape != expected:
                    raise ValueError(f"field {name!r} has shape {source[name].shape}, expected {expected}")

    def __len__(self) -> int:
        """Return the number of bars, history included."""
        return len(self.ts)

    def __repr__(self) -> str:
        return f"Bars({len(self)} x {self.width}: {', '.join(self._names)})"

    @property
    def width(self) -> int:
        """The number of symbols."""
        return len(self.symbols)

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of each field, and of the weights to return: (bars, symbols)."""
        return len(self), self.width

    @property
    def time(self) -> NDArray[np.datetime64]:
        """The bars' starts as datetime64[us], UTC."""
        return self.ts.view("datetime64[us]")

    def index(self, symbol: str) -> int:
        """Return a symbol's column; raises `KeyError` with the nearest name."""
        try:
            return self.symbols.index(symbol)
        except ValueError:
            raise KeyError(f"{symbol!r} is not in this run{did_you_mean(symbol, self.symbols)}") from None

    def only(self, names: Sequence[str]) -> Bars:
        """Return the same bars with some of the fields; raises `AttributeError` for one that was not shipped."""
        fields = {name: getattr(self, name) for name in names}
        raw = {name: getattr(self.raw, name) for name in names}
        return Bars(symbols=self.symbols, ts=self.ts, session=self.session, fields=fields, raw=raw)

    def to_pandas(self) -> Any:
        """Return a DataFrame: a row for each bar (UTC), columns (field, symbol)."""
        return tables.to_pandas(self)

    def to_arrow(self) -> Any:
        """Return a pyarrow table: a row for each bar and symbol, null where nothing traded."""
        return tables.to_arrow(self)

    def relation(self, connection: Any = None) -> Any:
        """Return what `to_arrow` does as a DuckDB relation, of `connection` where one is given; `ts` is UTC."""
        return tables.relation(self, connection)


class _Module(ModuleType):
    """This module, which is also the function `tapedeck.bars(...)`: package and function share the name."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call `tapedeck.query.bars`."""
        from tapedeck import query  # noqa: PLC0415 - it imports this module

        return query.bars(*arguments, **named)


sys.modules[__name__].__class__ = _Module


def _read_only(array: NDArray[_T]) -> NDArray[_T]:
    view = array.view()
    view.flags.writeable = False
    return view
