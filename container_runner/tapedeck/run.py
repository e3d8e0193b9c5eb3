"""What a free-form strategy, ``main(run)``, holds in its hand."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

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

    def __init__(self, port: Port, symbols: Sequence[str], params: Mapping[str, int | float | str | bool]) -> None:
        self._port = port
        self._bars: Bars | None = None
        self.submitted = False
        self.symbols = tuple(symbols)
        self.params = dict(params)

    def bars(self, fields: Sequence[str] | None = None) -> Bars:
        """Return the run's bars, history first; `fields` picks some of those that the strategy ships."""
        if self._bars is None:
            self._bars = self._port.bars()
        return self._bars if fields is None else self._bars.only(fields)

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
