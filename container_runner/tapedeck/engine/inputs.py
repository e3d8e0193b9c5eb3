"""What the engine reads, by shape: `tapedeck.market` has these, and so may anybody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Block(Protocol):
    """Bars of n rows and s symbols, raw prices, NaN where there is no trade."""

    @property
    def symbols(self) -> Sequence[str]:
        """The symbols in column order."""
        ...

    @property
    def ts(self) -> NDArray[np.int64]:
        """(n,): the bar's start, microseconds since 1970, UTC."""
        ...

    @property
    def session(self) -> NDArray[np.int32]:
        """(n,): the session's day since 1970-01-01, never falling."""
        ...

    @property
    def fields(self) -> Mapping[str, Array]:
        """(n, s) each; the engine reads `open` and `close`, and `volume` where fills depend on it."""
        ...


class Split(Protocol):
    """From the session's open on, a holding has `ratio` times the shares."""

    @property
    def symbol(self) -> str: ...  # noqa: D102 - the class says it
    @property
    def session(self) -> date: ...  # noqa: D102
    @property
    def ratio(self) -> float: ...  # noqa: D102


class Dividend(Protocol):
    """Holders at the close before `session` get `amount` for each share; shorts pay it."""

    @property
    def symbol(self) -> str: ...  # noqa: D102 - the class says it
    @property
    def session(self) -> date: ...  # noqa: D102
    @property
    def amount(self) -> float: ...  # noqa: D102
