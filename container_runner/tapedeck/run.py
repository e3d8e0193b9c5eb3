"""What a free-form strategy, ``main(run)``, holds in its hand."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tapedeck import tables
from tapedeck.decisions import DecisionError, as_decisions

if TYPE_CHECKING:
    from tapedeck.bars import Array, Bars


class Port(Protocol):
    """How a run reaches the market and hands in decisions; the sandbox's runner and the laptop's each have one."""

    def bars(self) -> Bars:
        """Return the bars of the whole run, history first."""
        ...

    def submit(self, decisions: Array) -> None:
        """Take the decisions on all of these bars."""
        ...


class Run:
    """A run in free form: read `bars()`, hand in `submit(weights)` once."""

    def __init__(
        self,
        port: Port,
        symbols: Sequence[str],
        params: Mapping[str, int | float | str | bool],
        dataset: str = "",
        snapshot: str = "",
        *,
        adjust: str = "split",
    ) -> None:
        self._port = port
        self.dataset = dataset
        self.snapshot = snapshot  # its id
        self.adjust = adjust  # what the prices of `bars()` are adjusted for
        self._bars: Bars | None = None
        self._database: Any = None  # duckdb's connection
        self.submitted = False
        self.symbols = tuple(symbols)
        self.params = dict(params)

    def bars(self, fields: Sequence[str] | None = None, freq: str | None = None) -> Bars:
        """Return the run's bars, history first; `fields` picks some of those that the strategy ships.

        `freq`: longer bars made of them ("1h", "1d": `tapedeck.market.resample`), to look at. A longer bar is whole
        when the next one begins; decisions are on the run's own bars.
        """
        if self._bars is None:
            self._bars = self._port.bars()
        bars = self._bars if fields is None else self._bars.only(fields)
        if freq is None:
            return bars
        from tapedeck import query  # noqa: PLC0415 - only who asks for it waits for it
        from tapedeck.market import layout  # noqa: PLC0415

        said = layout.parse_dataset(self.dataset)
        return query.resampled(bars, said.calendar, said.bar, freq)

    def sql(self, query: str) -> Any:
        """Return a DuckDB relation: the answer to `query` on the table `bars` of the run (ts, session, symbol, fields).

        A database in memory that reads no file, loads no extension and reaches no network.
        """
        if self._database is None:
            self._database = tables.database(self.bars())
        return self._database.sql(query)

    def submit(self, weights: object) -> None:
        """Hand in target weights of the shape of `bars()`; NaN = leave the position alone. Once a run.

        Raises `DecisionError` for another shape, for an infinite weight, and the second time.
        """
        if self.submitted:
            raise DecisionError("the decisions of this run are handed in already: call run.submit once, with all bars")
        self._port.submit(as_decisions(weights, self.bars()))
        self.submitted = True

    def log(self, *values: object) -> None:
        """Write a line to the run's log."""
        sys.stdout.write(" ".join(str(value) for value in values) + "\n")
        sys.stdout.flush()
