"""Ingest: a vendor's file becomes months and a new snapshot, or is refused with file and line; nothing between."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import PurePosixPath
from time import monotonic
from typing import BinaryIO, Protocol

from backtest import layout
from backtest.errors import PlatformError
from backtest.ingest import deadline, policy, report
from backtest.ingest.deadline import Timed, TooLateError
from backtest.ingest.drop import Drop
from backtest.ingest.report import Report
from tapedeck.market import snapshot
from tapedeck.market.errors import (
    DatasetNameError,
    EncodingError,
    PublishConflictError,
    UniverseError,
    WithdrawnSnapshotError,
)
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import ObjectStore, Streaming
from tapedeck.market.vendor import drop as vendor_drop
from tapedeck.market.vendor.accept import accept
from tapedeck.market.vendor.problems import Problem

_TRIES = 8  # against others that publish at the same time
MAX_BYTES = 16 * 2**30  # of a drop, unpacked; what it needs of time and disk may end it before
MAX_COPIED_BYTES = 3 * 2**30  # of a file that is not read from begin to end, and so is copied to disk first
_COPIED = (".zip", ".parquet")

_CODES: dict[type[Exception], str] = {
    DatasetNameError: "name",
    policy.PolicyError: "policy",
    EncodingError: "number",
    UniverseError: "universe",
    TooLateError: "time",
    WithdrawnSnapshotError: "withdrawn",
}


class _RefusedError(Exception):
    """Nothing is taken of the drop."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def answer(self, drop: Drop) -> Report:
        return report.refused(drop, [Problem(drop.key, None, self.code, str(self))], 1)


class Snapshots(Protocol):
    """Where published snapshots are listed."""

    def publish(self, *, id: str, dataset: str, symbols: int, first_session: date, last_session: date) -> None:
        """List a snapshot as the newest of its dataset."""
        ...


def ingest(
    *, vendor: Streaming, market: ObjectStore, snapshots: Snapshots, drop: Drop, left_s: float | None = None
) -> Report | None:
    """Take in a drop and answer it below `status/`; return the answer, None when a later drop of the key was answered.

    Run again for the same drop it does the same. `left_s`: how many seconds there are for it; what takes longer is
    refused. Raises PlatformError when others kept publishing meanwhile.
    """
    status = layout.upload_status(drop.key)
    if _answered(vendor, status, drop):
        return None
    now = monotonic()
    timed = market if left_s is None else Timed(market, now + deadline.ALL * left_s)
    answer = _take(vendor, timed, snapshots, drop, None if left_s is None else now + deadline.READING * left_s)
    vendor.put(status, json.dumps(answer, indent=2).encode())
    return answer


def _answered(vendor: ObjectStore, status: str, drop: Drop) -> bool:
    """Say whether this event or a later one of its key was answered: queues repeat, an old file must not return."""
    try:
        before: Report = json.loads(vendor.get(status))
    except KeyError:
        return False
    if drop.sequencer and before["sequencer"]:
        return drop.is_before(before["sequencer"])
    return drop.version is not None and drop.version == before["version"]


def _take(vendor: Streaming, market: ObjectStore, snapshots: Snapshots, drop: Drop, until: float | None) -> Report:
    try:
        dataset, path = drop.place()
        with _open(vendor, drop) as file, _disk_is_finite():
            if path == policy.NAME:
                return report.stated(drop, policy.parse(file.read(policy.MAX_BYTES)))
            bad_rows = policy.read(vendor, dataset.name)
            reading = vendor_drop.read(dataset, path, file, bad_rows=bad_rows, max_bytes=MAX_BYTES, until=until)
        if reading.problems.count:
            return report.refused(drop, reading.problems.shown, reading.problems.count)
        published = accept(market, reading)
    except _RefusedError as error:
        return error.answer(drop)
    except PublishConflictError as error:
        raise PlatformError(f"others kept publishing {dataset.name}") from error
    except tuple(_CODES) as error:
        return _RefusedError(_CODES[type(error)], str(error)).answer(drop)
    _list_newest(snapshots, market, published.snapshot)
    return report.ingested(drop, reading, published)


def _open(vendor: Streaming, drop: Drop) -> BinaryIO:
    limit = MAX_COPIED_BYTES if PurePosixPath(drop.key).suffix.lower() in _COPIED else MAX_BYTES
    if drop.size > limit:
        instead = "drop it in parts, or as CSV" if limit < MAX_BYTES else "drop it in parts"
        raise _RefusedError("size", f"{drop.size:,} bytes are more than {limit:,}: {instead}")
    try:
        return vendor.open(drop.key, drop.version)
    except KeyError:
        raise _RefusedError("gone", "the object was deleted before it was read") from None


@contextmanager
def _disk_is_finite() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise _RefusedError("size", "its rows do not fit on this function's disk: drop it in parts") from error


def _list_newest(snapshots: Snapshots, market: ObjectStore, published: Snapshot) -> None:
    """List a snapshot, and what was published on top of it meanwhile: the one listed last is what the pointer names."""
    _list(snapshots, published)
    for _ in range(_TRIES):
        held = snapshot.latest(market, published.dataset)
        if held is None or held == published.id:
            return
        published = snapshot.load(market, published.dataset, held)
        _list(snapshots, published)
    raise PlatformError(f"others kept publishing {published.dataset}")


def _list(snapshots: Snapshots, published: Snapshot) -> None:
    spans = [published.span(symbol) for symbol in published.symbols]
    if spans:
        snapshots.publish(
            id=published.id,
            dataset=published.dataset,
            symbols=len(spans),
            first_session=min(first for first, _ in spans),
            last_session=max(last for _, last in spans),
        )
