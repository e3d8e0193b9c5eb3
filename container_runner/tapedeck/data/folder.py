"""Vendors' files into a folder of snapshots, and what lies there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tapedeck.market import layout, snapshot
from tapedeck.market.errors import UniverseError
from tapedeck.market.store import FolderStore
from tapedeck.market.vendor import drop, summary
from tapedeck.market.vendor import members as universes
from tapedeck.market.vendor.accept import accept
from tapedeck.market.vendor.problems import Problem
from tapedeck.market.vendor.reading import BadRows, Reading
from tapedeck.market.vendor.series import GAPS

MAX_BYTES = 2**40  # one's own file, unpacked


@dataclass(frozen=True)
class Taken:
    """What came of a file; `snapshot` is None when it was refused, by `problems` (the first hundred)."""

    snapshot: str | None
    problems: list[str]
    problem_count: int
    rows: int
    symbols: int
    months: int
    left_out: Mapping[str, int]  # rows by reason
    put_right: Mapping[str, int]  # "duplicate" rows left out, "unsorted" ones sorted
    gaps: list[tuple[str, str, str]]  # the first ten: symbol, first and last session without a bar
    universes: Mapping[str, int]  # symbols by universe
    places: Mapping[str, list[str]]  # file:line of the first ten of each reason, and of "duplicate" and "unsorted" rows
    found: Mapping[str, int]  # by code: held back ("price", "conflict") or told only ("two-scales")
    findings: list[str]  # the first hundred
    missing: Mapping[str, int]  # "sessions" without a bar, "bars" of the other sessions


@dataclass(frozen=True)
class Listed:
    """A dataset's latest snapshot."""

    name: str
    snapshot: str
    symbols: int
    first: date | None
    last: date | None


def ingest(folder: Path, dataset: str, path: Path, bad_rows: BadRows = "reject") -> Taken:
    """Take a file into the folder as a new snapshot, or nothing of it.

    Memory does not grow with the file. Raises OSError, `tapedeck.market.errors.MarketError`.
    """
    name = layout.parse_dataset(dataset)
    with path.open("rb") as file:
        reading = drop.read(name, path.as_posix(), file, bad_rows=bad_rows, max_bytes=MAX_BYTES)
    problems = reading.problems
    published = None if problems.count else accept(FolderStore(folder), reading)
    told = summary.symbols(reading) if published else {}
    return Taken(
        snapshot=published.snapshot.id if published else None,
        problems=[_line(one) for one in problems.shown],
        problem_count=problems.count,
        rows=summary.rows(reading),
        symbols=len(reading.series),
        months=published.months_written if published else 0,
        left_out=reading.left_out,
        places=reading.places,
        put_right={
            "duplicate": sum(one["duplicates"] for one in told.values()),
            "unsorted": sum(one["unsorted"] for one in told.values()),
        },
        gaps=[(symbol, *gap) for symbol, one in told.items() for gap in one["gaps"]][:GAPS],
        universes={name: len(symbols or ()) for name, symbols in reading.universes.items()},
        found=reading.findings.counts,
        findings=[_line(one) for one in reading.findings.shown],
        missing={
            "sessions": sum(one["missing_sessions"] for one in told.values()),
            "bars": sum(one["missing_bars"] for one in told.values()),
        },
    )


def members(dataset: str, name: str, path: Path) -> tuple[str, ...]:
    """Return the symbols that a universe's file lists. Raises OSError, UniverseError, DatasetNameError."""
    reading = Reading(layout.parse_dataset(dataset))
    with path.open(encoding="utf-8-sig", newline="") as lines:
        universes.read(reading, path.as_posix(), name, lines)
    if reading.problems.count:
        raise UniverseError("\n".join(map(_line, reading.problems.shown)))
    return reading.universes[name] or ()


def _line(problem: Problem) -> str:
    place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
    return f"{place}: {problem.code}: {problem.message}"


def datasets(folder: Path) -> Iterator[Listed]:
    """Yield the folder's datasets by name."""
    store = FolderStore(folder)
    for pointer in sorted(folder.glob("snapshots/*/latest.json")):
        name = pointer.parent.name
        found = snapshot.latest(store, name)
        if found is None:
            continue
        at = snapshot.load(store, name, found)
        spans = [at.span(symbol) for symbol in at.symbols]
        first, last = min((one[0] for one in spans), default=None), max((one[1] for one in spans), default=None)
        yield Listed(name, found, len(spans), first, last)
