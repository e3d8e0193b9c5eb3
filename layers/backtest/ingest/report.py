"""The answer to a drop: what came of it, as the status object that its owner reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, TypedDict

from backtest.ingest.drop import Drop
from tapedeck.market.actions import Dividend, Split
from tapedeck.market.publish import Published
from tapedeck.market.vendor.problems import Problem
from tapedeck.market.vendor.reading import Reading


class SymbolReport(TypedDict):
    """What a drop said of a symbol; sessions are ISO dates, null where there are no bars."""

    rows: int
    first: str | None
    last: str | None
    missing_sessions: int  # sessions between first and last without any bar
    duplicates: int  # rows that were there twice with the same values
    unsorted: int  # rows that were earlier than the row before them
    splits: list[dict[str, str | float]]
    dividends: list[dict[str, str | float]]
    notes: list[str]


class ProblemReport(TypedDict):
    """Why a drop was refused: line counts from 1, null where the fault is the file's own."""

    file: str
    line: int | None
    code: str
    message: str


class Report(TypedDict):
    """`status/{key}.json` in the vendor bucket."""

    schema: int  # 1
    status: Literal["INGESTED", "REFUSED"]
    key: str
    version: str | None
    sequencer: str
    owner: str
    at: str  # ISO 8601, UTC
    dataset: str | None
    snapshot: str | None  # the latest snapshot, which holds the drop; null when refused
    months_written: int
    rows: int
    left_out: dict[str, int]  # rows by reason
    symbols: dict[str, SymbolReport]
    problem_count: int
    problems: list[ProblemReport]  # the first hundred


def refused(drop: Drop, problems: list[Problem], count: int) -> Report:
    """Return the answer to a drop of which nothing was taken."""
    report = _bare(drop, "REFUSED")
    report["problem_count"] = count
    report["problems"] = [
        ProblemReport(file=one.file, line=one.line, code=one.code, message=one.message) for one in problems
    ]
    return report


def ingested(drop: Drop, reading: Reading, published: Published) -> Report:
    """Return the answer to a drop that is in the latest snapshot."""
    report = _bare(drop, "INGESTED")
    report["dataset"] = reading.dataset.name
    report["snapshot"] = published.snapshot.id
    report["months_written"] = published.months_written
    report["rows"] = sum(len(series) for series in reading.series.values())
    report["left_out"] = dict(reading.left_out)
    named = sorted({*reading.series, *reading.actions, *reading.names})
    report["symbols"] = {symbol: _symbol(reading, symbol) for symbol in named}
    return report


def _bare(drop: Drop, status: Literal["INGESTED", "REFUSED"]) -> Report:
    return Report(
        schema=1,
        status=status,
        key=drop.key,
        version=drop.version,
        sequencer=drop.sequencer,
        owner=drop.owner,
        at=datetime.now(UTC).isoformat(),
        dataset=None,
        snapshot=None,
        months_written=0,
        rows=0,
        left_out={},
        symbols={},
        problem_count=0,
        problems=[],
    )


def _symbol(reading: Reading, symbol: str) -> SymbolReport:
    series, actions = reading.series.get(symbol), reading.actions.get(symbol)
    between = reading.calendar.sessions(series.first, series.last) if series else []
    return SymbolReport(
        rows=len(series) if series else 0,
        first=series.first.isoformat() if series else None,
        last=series.last.isoformat() if series else None,
        missing_sessions=len(between) - series.sessions if series else 0,
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
