"""What a researcher derives a strategy from."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from tapedeck.fields import FIELDS
from tapedeck.suggest import did_you_mean

if TYPE_CHECKING:
    from tapedeck.bars import Bars
    from tapedeck.book import Bar, Book
    from tapedeck.run import Run

RESERVED = ("fields", "lookback", "weights", "shares", "on_bar", "main")
_DECIDES = "weights(self, bars), shares(self, bars), on_bar(self, bar, book) or main(self, run)"


class Strategy:
    """A strategy: its parameters are annotated class attributes, its decisions come from one method.

    Define `weights(bars)` (vectorised: target weights of equity, NaN = leave the position alone), `shares(bars)`
    (vectorised: target numbers of shares, NaN likewise), `on_bar(bar, book)` (bar by bar: orders) or `main(run)` (free
    form). Parameters are set before `__init__` runs, so an `__init__(self)` of your own can use them.
    """

    fields: ClassVar[Sequence[str]] = FIELDS  # what the strategy reads; nothing else is shipped

    def __init__(self, **params: int | float | str | bool) -> None:
        set_parameters(self, params)

    def lookback(self) -> int:
        """Return how many bars of history a decision needs, beside its own bar."""
        return 0

    def weights(self, bars: Bars) -> Any:
        """Return target weights, an array of the shape of `bars`: a row for each bar, a column for each symbol."""
        raise NotImplementedError(f"{type(self).__name__} decides nothing: define {_DECIDES}")

    def shares(self, bars: Bars) -> Any:
        """Return the shares to hold, an array of the shape of `bars`, negative for a short."""
        raise NotImplementedError(f"{type(self).__name__} decides nothing: define {_DECIDES}")

    def on_bar(self, bar: Bar, book: Book) -> object:
        """Look at one time step of all symbols and hand orders to the book; what is returned does not matter."""
        raise NotImplementedError(f"{type(self).__name__} decides nothing: define {_DECIDES}")

    def main(self, run: Run) -> None:
        """Decide in free form: read `run.bars()`, hand in `run.submit(weights)` once."""
        raise NotImplementedError(f"{type(self).__name__} decides nothing: define {_DECIDES}")


def parameters(strategy: type[Strategy]) -> dict[str, object]:
    """Return the parameters that a strategy class declares, inherited ones included, with their defaults."""
    found: dict[str, object] = {}
    for owner in reversed(strategy.__mro__):
        names = inspect.get_annotations(owner)
        found |= {n: owner.__dict__[n] for n in names if n in owner.__dict__ and n not in RESERVED and n[0] != "_"}
    return found


@lru_cache(maxsize=16)
def _names(strategy: type[Strategy]) -> frozenset[str]:
    return frozenset(parameters(strategy))


def set_parameters(instance: Strategy, params: dict[str, int | float | str | bool]) -> None:
    """Set parameters as attributes; raises `TypeError` for one that the class does not declare."""
    if not params:
        return
    known = _names(type(instance))  # type: ignore[arg-type]  # a class is hashable, whatever its instances are
    for name, value in params.items():
        if name not in known:
            hint = did_you_mean(name, known)
            raise TypeError(f"{type(instance).__name__} has no parameter {name!r}{hint}")
        setattr(instance, name, value)


def create(strategy: type[Strategy], params: dict[str, int | float | str | bool]) -> Strategy:
    """Return an instance whose parameters are set before its own `__init__` (without arguments) runs."""
    instance = strategy.__new__(strategy)
    set_parameters(instance, params)
    instance.__init__()  # type: ignore[misc]  # the researcher's own __init__ meets its parameters set
    return instance
