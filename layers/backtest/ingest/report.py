"""The answer to a drop: what came of it, as the status object that its owner reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, TypedDict

from backtest.ingest.drop import Drop
from backtest.ingest.working import Working
from tapedeck.market.publish import Published
from tapedeck.market.vendor import summary
from tapedeck.market.vendor.problems import Problem
from tapedeck.market.vendor.reading import BadRows, Reading
from tapedeck.market.vendor.summary import SymbolReport


class ProblemReport(TypedDict):
    """Why a drop was refused, or what was found in it: line counts from 1, null where the fault is the file's own."""

    file: str
    line: int | None
    code: str
    message: str


class Progress(TypedDict):
    """How far a drop has come that takes several calls."""

    stage: Literal["reading", "sorting", "publishing"]
    calls: int  # that it took so far
    bytes_read: int  # unpacked
    bytes_dropped: int  # as dropped


class Report(TypedDict):
    """`status/{key}.json` in the vendor bucket."""

    schema: int  # 1
    status: Literal["INGESTED", "REFUSED", "STATED", "UNDER_WAY"]
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
    places: dict[str, list[str]]  # file:line of the first ten of each reason, and of "duplicate" and "unsorted" rows
    bad_rows: BadRows | None  # the dataset's policy that held; null when the drop was refused
    finding_counts: dict[str, int]  # by code: "price" and "conflict" are held back, "two-scales" is told only
    findings: list[ProblemReport]  # the first hundred
    symbols: dict[str, SymbolReport]
    universes: dict[str, int]  # by name, how many symbols
    problem_count: int
    problems: list[ProblemReport]  # the first hundred
    progress: Progress | None  # while it is under way


def refused(drop: Drop, problems: list[Problem], count: int) -> Report:
    """Return the answer to a drop of which nothing was taken."""
    report = _bare(drop, "REFUSED")
    report["problem_count"] = count
    report["problems"] = _told(problems)
    return report


def stated(drop: Drop, bad_rows: BadRows) -> Report:
    """Return the answer to a drop that states its dataset's policy."""
    report = _bare(drop, "STATED")
    report["bad_rows"] = bad_rows
    return report


def under_way(drop: Drop, working: Working) -> Report:
    """Return what is said of a drop until it is answered."""
    report = _bare(drop, "UNDER_WAY")
    report["progress"] = Progress(
        stage=working.stage,
        calls=working.calls + 1,
        bytes_read=working.reading.bookmark.taken,
        bytes_dropped=drop.size,
    )
    return report


def ingested(drop: Drop, reading: Reading, published: Published) -> Report:
    """Return the answer to a drop that is in the latest snapshot."""
    report = _bare(drop, "INGESTED")
    report["dataset"] = reading.dataset.name
    report["snapshot"] = published.snapshot.id
    report["months_written"] = published.months_written
    report["rows"] = summary.rows(reading)
    report["left_out"] = dict(reading.left_out)
    report["places"] = dict(reading.places)
    report["bad_rows"] = reading.bad_rows
    report["finding_counts"] = dict(reading.findings.counts)
    report["findings"] = _told(reading.findings.shown)
    report["symbols"] = summary.symbols(reading)
    report["universes"] = {name: len(symbols or ()) for name, symbols in reading.universes.items()}
    return report


def _bare(drop: Drop, status: Literal["INGESTED", "REFUSED", "STATED", "UNDER_WAY"]) -> Report:
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
        places={},
        bad_rows=None,
        finding_counts={},
        findings=[],
        symbols={},
        universes={},
        problem_count=0,
        problems=[],
        progress=None,
    )


def _told(problems: list[Problem]) -> list[ProblemReport]:
    return [ProblemReport(file=one.file, line=one.line, code=one.code, message=one.message) for one in problems]
