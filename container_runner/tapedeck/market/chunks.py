"""The chunk plan: which sessions are handed to the strategy together. A pure function of the run manifest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import groupby

from tapedeck.market.calendar import Calendar

_ROW_BYTES = 8 + 4  # ts and session
_CELL_BYTES = 2 * 8  # a field adjusted and raw, float64


def plan(  # noqa: PLR0917 -- control plane and tests agreed on this order
    calendar: Calendar,
    bar: str,
    start: date,
    end: date,
    n_symbols: int,
    n_fields: int,
    level: str,
    budget_bytes: int,
) -> list[tuple[date, date]]:
    """Return the first and last session of each chunk.

    A chunk lies in one calendar month and holds whole sessions of at most `budget_bytes`; for level "main" there is one
    chunk over the whole range. Raises ValueError when the range has no session, or when what cannot be divided, a
    session or "main"'s one chunk, exceeds the budget.
    """
    sessions = calendar.sessions(start, end)
    if not sessions:
        raise ValueError(f"{calendar.name} has no session from {start} to {end}")
    row = _ROW_BYTES + _CELL_BYTES * n_symbols * n_fields
    sizes = [calendar.bars_per_session(bar, session) * row for session in sessions]
    if level == "main":
        if sum(sizes) > budget_bytes:
            raise ValueError(
                f"main takes its {sum(sizes):,} bytes of bars at once, {budget_bytes:,} are allowed: "
                "ask for fewer symbols, fields or sessions, or write weights(bars)"
            )
        return [(sessions[0], sessions[-1])]
    if max(sizes) > budget_bytes:
        raise ValueError(
            f"one session is {max(sizes):,} bytes of bars, {budget_bytes:,} are allowed: ask for fewer symbols"
        )
    months = groupby(zip(sessions, sizes, strict=True), key=lambda pair: (pair[0].year, pair[0].month))
    return [chunk for _, days in months for chunk in _cut(list(days), budget_bytes)]


def _cut(days: list[tuple[date, int]], budget_bytes: int) -> Iterator[tuple[date, date]]:
    first, last, held = days[0][0], days[0][0], 0
    for session, size in days:
        if held + size > budget_bytes:
            yield first, last
            first, held = session, 0
        last, held = session, held + size
    yield first, last
