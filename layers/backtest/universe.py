"""What a request means on a snapshot: which symbols, from which session to which, in which chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from backtest.errors import CallerError
from backtest.request import BacktestRequest
from tapedeck.market import calendar as calendars
from tapedeck.market import chunks
from tapedeck.market.errors import CalendarError, UnknownUniverseError
from tapedeck.market.snapshot import Snapshot
from tapedeck.suggest import did_you_mean


@dataclass(frozen=True)
class Universe:
    """Symbols in the researcher's order (a universe's: sorted) and the chunk plan, first and last session of each."""

    symbols: tuple[str, ...]
    chunks: tuple[tuple[date, date], ...]


def resolve(
    request: BacktestRequest, snapshot: Snapshot, *, fields: Sequence[str], level: str, chunk_bytes: int
) -> Universe:
    """Return what the request means on `snapshot`; `chunk_bytes` is how large a chunk may be (`Policy.chunk_bytes`).

    Raises `CallerError` for an unknown symbol or universe, for dates outside of the data, for a run that does not fit.
    """
    listed = _listed(request, snapshot)
    known = set(snapshot.symbols)
    for symbol in listed:
        if symbol not in known:
            hint = did_you_mean(symbol, snapshot.symbols) or "."
            message = f"{snapshot.dataset} has no symbol {symbol!r}{hint}"
            raise CallerError(400, "UNKNOWN_SYMBOL", message, key="symbols", symbol=symbol)
    first, last = _sessions(request, snapshot, listed)
    symbols = tuple(s for s in listed if _overlaps(snapshot, s, first, last))
    if isinstance(request.symbols, list) and len(symbols) < len(listed):
        missing = next(s for s in listed if s not in symbols)
        begin, end = snapshot.span(missing)
        message = f"{missing} has no data from {request.start} to {request.end}; it has from {begin} to {end}"
        raise CallerError(400, "NO_DATA", message, key="symbols", symbol=missing)
    calendar = calendars.get(snapshot.calendar)
    width, depth = len(symbols), len(fields)
    try:
        plan = chunks.plan(calendar, snapshot.bar, request.start, request.end, width, depth, level, chunk_bytes)
    except ValueError as e:
        raise CallerError(400, "TOO_MUCH_DATA", str(e)) from e
    return Universe(symbols, tuple(plan))


def _listed(request: BacktestRequest, snapshot: Snapshot) -> tuple[str, ...]:
    if isinstance(request.symbols, list):
        return tuple(request.symbols)
    try:
        return snapshot.universe(request.symbols)
    except UnknownUniverseError as e:
        hint = f'. One symbol is written symbols = ["{request.symbols}"]' if request.symbols in snapshot.symbols else ""
        raise CallerError(400, "UNKNOWN_UNIVERSE", f"{e}{hint}", key="symbols", universe=request.symbols) from e


def _sessions(request: BacktestRequest, snapshot: Snapshot, symbols: Sequence[str]) -> tuple[date, date]:
    """Return the run's first and last session, which lie inside of the symbols' data."""
    spans = [snapshot.span(s) for s in symbols]
    if not spans:
        raise CallerError(400, "NO_DATA", f"{snapshot.dataset} holds no symbol", key="dataset")
    begin, end = min(s[0] for s in spans), max(s[1] for s in spans)
    outside = CallerError(
        400,
        "OUTSIDE_SNAPSHOT",
        f"{request.start} to {request.end} lies outside of the data, which goes from {begin} to {end}",
        key="start" if request.start < begin else "end",
        first=begin.isoformat(),
        last=end.isoformat(),
    )
    try:
        sessions = calendars.get(snapshot.calendar).sessions(request.start, request.end)
    except CalendarError as e:
        raise outside from e
    if not sessions:
        message = f"{snapshot.calendar} has no session from {request.start} to {request.end}"
        raise CallerError(400, "EMPTY_RANGE", message, key="start")
    if sessions[0] < begin or sessions[-1] > end:
        raise outside
    return sessions[0], sessions[-1]


def _overlaps(snapshot: Snapshot, symbol: str, first: date, last: date) -> bool:
    begin, end = snapshot.span(symbol)
    return begin <= last and end >= first
