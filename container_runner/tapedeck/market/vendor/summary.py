"""What a reading says of each symbol, as JSON."""

from __future__ import annotations

from typing import TypedDict

from tapedeck.market.actions import Dividend, Split
from tapedeck.market.vendor.reading import Reading


class SymbolReport(TypedDict):
    """What a drop said of a symbol; sessions are ISO dates, null where there are no bars."""

    rows: int
    first: str | None
    last: str | None
    missing_sessions: int  # sessions between first and last without any bar
    gaps: list[tuple[str, str]]  # the first ten runs of those sessions: first, last
    missing_bars: int  # bars of the calendar without a row, in the sessions that have any
    duplicates: int  # rows that were there twice with the same values
    unsorted: int  # rows that were earlier than the row before them
    splits: list[dict[str, str | float]]
    dividends: list[dict[str, str | float]]
    notes: list[str]


def symbols(reading: Reading) -> dict[str, SymbolReport]:
    """Return each symbol's report; the reading is closed."""
    return {name: _symbol(reading, name) for name in sorted({*reading.series, *reading.actions, *reading.names})}


def rows(reading: Reading) -> int:
    """Return how many bars were taken."""
    return sum(series.rows for series in reading.series.values())


def _symbol(reading: Reading, symbol: str) -> SymbolReport:
    series, actions = reading.series.get(symbol), reading.actions.get(symbol)
    return SymbolReport(
        rows=series.rows if series else 0,
        first=series.first.isoformat() if series else None,
        last=series.last.isoformat() if series else None,
        missing_sessions=series.missing_sessions if series else 0,
        gaps=[(first.isoformat(), last.isoformat()) for first, last in series.gaps] if series else [],
        missing_bars=series.missing_bars if series else 0,
        duplicates=series.duplicates if series else 0,
        unsorted=series.unsorted if series else 0,
        splits=[_split(one) for one in actions.splits] if actions else [],
        dividends=[_dividend(one) for one in actions.dividends] if actions else [],
        notes=list(actions.notes) if actions else [],
    )


def _split(split: Split) -> dict[str, str | float]:
    return {"session": split.session.isoformat(), "ratio": split.ratio}


def _dividend(paid: Dividend) -> dict[str, str | float]:
    return {"session": paid.session.isoformat(), "amount": paid.amount}
