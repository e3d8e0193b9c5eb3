"""`tapedeck.bars(...)` within a run of level `main`: the same call, answered out of the run's own data.

The sidecar hands in what the run's manifest names, and nothing else can be reached: what the call asks for beyond that
is refused by name. Prices are adjusted as the run's are, from its first session on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np

from tapedeck.bars import Bars
from tapedeck.market import calendar as calendars
from tapedeck.market import layout, reference
from tapedeck.market.errors import CalendarError, MarketError
from tapedeck.suggest import did_you_mean

if TYPE_CHECKING:
    from tapedeck.run import Run

_running: list[Run] = []  # the innermost last; there is at most one


@contextmanager
def running(run: Run) -> Iterator[Run]:
    """Let `tapedeck.bars` without `data` mean this run's data meanwhile."""
    _running.append(run)
    try:
        yield run
    finally:
        _running.pop()


def current() -> Run | None:
    """Return the run that goes on in this process, None outside of `main(run)`."""
    return _running[-1] if _running else None


def pick(run: Run, symbols: str | Sequence[str], first: date, last: date, fields: Sequence[str]) -> Bars:
    """Return some of a run's bars, history included. Raises MarketError for what the run does not have."""
    whole = run.bars()
    columns = [_column(run, symbol) for symbol in _listed(run, symbols)]
    edges = [calendars.day_number(first), calendars.day_number(last) + 1]
    low, high = np.searchsorted(whole.session, edges).tolist()
    begin, end = (calendars.from_day_number(int(whole.session[at])) for at in (0, -1))
    asked = _sessions(run.dataset, first, last)
    if low >= high or asked[0] < begin or asked[-1] > end:
        raise MarketError(f"this run's data goes from {begin} to {end}; asked for: {first} to {last}")
    rows, cut = slice(low, high), whole.only(fields)
    return Bars(
        symbols=[run.symbols[at] for at in columns],
        ts=whole.ts[rows],
        session=whole.session[rows],
        fields={name: values[rows, columns] for name, values in cut.fields().items()},
        raw={name: values[rows, columns] for name, values in cut.raw.fields().items()},
    )


def _sessions(dataset: str, first: date, last: date) -> list[date]:
    try:
        return calendars.get(layout.parse_dataset(dataset).calendar).sessions(first, last)
    except CalendarError:  # past what is known
        return [first, last]


def check(run: Run, dataset: str, snapshot: str, as_of: datetime | str | None, adjust: str) -> None:
    """Raise MarketError when another dataset, snapshot or adjustment is asked for than the run's; it has raw prices."""
    if dataset != run.dataset:
        raise MarketError(f"this run is on {run.dataset}: {dataset} cannot be read within it")
    if as_of is not None or not (snapshot == reference.LATEST or run.snapshot.startswith(snapshot)):
        raise MarketError(f"this run has pinned the snapshot {run.snapshot[:12]}: no other can be read within it")
    if adjust not in (run.adjust, "raw"):
        raise MarketError(f'this run\'s prices are adjusted by adjust="{run.adjust}": ask for that, or for "raw" ones')


def _listed(run: Run, symbols: str | Sequence[str]) -> Sequence[str]:
    if not isinstance(symbols, str):
        return symbols
    return run.symbols if symbols == "*" else [symbols]


def _column(run: Run, symbol: str) -> int:
    if symbol not in run.symbols:
        raise MarketError(f"{symbol!r} is not in this run{did_you_mean(symbol, run.symbols)}")
    return run.symbols.index(symbol)
