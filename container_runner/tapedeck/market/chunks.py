"""The chunk plan: which sessions are handed to the strategy together. A pure function of the run manifest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby, pairwise

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

    A chunk lies in one calendar month and holds whole sessions of at most `budget_bytes`; every month of the run is cut
    into the same number of parts. For level "main" there is one chunk over the whole range. Raises ValueError when the
    range has no session, or when what cannot be divided, a session or "main"'s one chunk, exceeds the budget.
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
    months = [
        list(days)
        for _, days in groupby(zip(sessions, sizes, strict=True), key=lambda pair: (pair[0].year, pair[0].month))
    ]
    fitting = (n for n in range(1, len(sessions) + 1) if all(_size(part) <= budget_bytes for part in _cut(months, n)))
    return [(part[0][0], part[-1][0]) for part in _cut(months, next(fitting))]


_Days = list[tuple[date, int]]  # sessions and their bytes


def _cut(months: Sequence[_Days], parts: int) -> Iterator[_Days]:
    """Yield every month in so many parts of the same number of sessions, but for one, or session by session.

    Every month alike, so that two chunks that are in memory together take about the same anywhere in the run: a month
    that just fits beside one that does not would be its peak.
    """
    for days in months:
        bounds = [len(days) * part // parts for part in range(parts + 1)]
        yield from (days[low:high] for low, high in pairwise(bounds) if low < high)


def _size(days: _Days) -> int:
    return sum(size for _, size in days)
