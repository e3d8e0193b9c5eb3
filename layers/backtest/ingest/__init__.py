"""Ingest: a vendor's file becomes months and a new snapshot, or is refused with file and line; nothing between.

It may take several calls: one whose time is up keeps what it has done (`working`), and the next goes on from there.
"""

from __future__ import annotations

import errno
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import PurePosixPath
from typing import BinaryIO, Protocol

from backtest import layout
from backtest.errors import PlatformError
from backtest.ingest import policy, report, working
from backtest.ingest.deadline import Time, Timed, TooLateError
from backtest.ingest.drop import Drop
from backtest.ingest.report import Report
from backtest.ingest.working import Working
from tapedeck.market import snapshot
from tapedeck.market.errors import (
    DatasetNameError,
    EncodingError,
    PublishConflictError,
    UniverseError,
    WithdrawnSnapshotError,
)
from tapedeck.market.pause import PauseError
from tapedeck.market.publish import Published
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import ObjectStore, Streaming
from tapedeck.market.vendor import drop as vendor_drop
from tapedeck.market.vendor.accept import accept
from tapedeck.market.vendor.problems import Problem

_TRIES = 8  # against others that publish at the same time
MAX_BYTES = 16 * 2**30  # of a drop, unpacked; what it needs of disk may end it before
MAX_CALLS = 50  # that a drop may take: more than any of that size needs
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
    *,
    vendor: Streaming,
    market: ObjectStore,
    snapshots: Snapshots,
    drop: Drop,
    time: Time | None = None,
) -> Report | None:
    """Take in a drop, as far as the time goes, and say so below `status/`; return what was said.

    UNDER_WAY asks for another call with the same drop, which goes on. None: a later drop of the key came, or another
    call went on with this one. Run again for the same drop it does the same. Raises PlatformError when others kept
    publishing meanwhile.
    """
    if _is_over(_said(vendor, drop), drop):
        return None
    answer = _take(vendor, market, snapshots, drop, time or Time())
    return answer if answer and _tell(vendor, drop, answer) else None


def _said(vendor: ObjectStore, drop: Drop) -> bytes | None:
    try:
        return vendor.get(layout.upload_status(drop.key))
    except KeyError:
        return None


def _is_over(said: bytes | None, drop: Drop) -> bool:
    """Say whether this event or a later one of its key was answered: queues repeat, an old file must not return.

    A later one that is under way counts too: it will be answered.
    """
    if said is None:
        return False
    before: Report = json.loads(said)
    if before["status"] == "UNDER_WAY" and before["version"] == drop.version:
        return False
    if drop.sequencer and before["sequencer"]:
        return drop.is_before(before["sequencer"])
    return drop.version is not None and drop.version == before["version"]


def _tell(vendor: ObjectStore, drop: Drop, answer: Report) -> bool:
    """Write an answer where none to a later drop of the key was written meanwhile; say whether it was."""
    key, body = layout.upload_status(drop.key), json.dumps(answer, indent=2).encode()
    for _ in range(_TRIES):
        said = _said(vendor, drop)
        if _is_over(said, drop):
            return False
        if vendor.swap(key, body, said):
            return True
    raise PlatformError(f"others kept writing {key}")


def _take(vendor: Streaming, market: ObjectStore, snapshots: Snapshots, drop: Drop, time: Time) -> Report | None:
    try:
        dataset, path = drop.place()
        if path == policy.NAME:
            return _stated(vendor, drop)
        at = working.load(vendor, drop, dataset)
        at.reading.go_on = at.begun.go_on = time.go_on
        with _disk_is_finite():
            try:
                published = _go_on(vendor, market, drop, at, time.until)
            except PauseError:
                return _keep(vendor, drop, at)
    except _RefusedError as error:
        return error.answer(drop)
    except PublishConflictError as error:
        raise PlatformError(f"others kept publishing {dataset.name}") from error
    except tuple(_CODES) as error:
        return _RefusedError(_CODES[type(error)], str(error)).answer(drop)
    if published is None:
        problems = at.reading.problems
        return report.refused(drop, problems.shown, problems.count) if problems.count else None
    _list_newest(snapshots, market, published.snapshot)
    return report.ingested(drop, at.reading, published)


def _stated(vendor: Streaming, drop: Drop) -> Report:
    with _open(vendor, drop) as file:
        return report.stated(drop, policy.parse(file.read(policy.MAX_BYTES)))


def _go_on(vendor: Streaming, market: ObjectStore, drop: Drop, at: Working, until: float | None) -> Published | None:
    """Read what is left of a drop and publish it; None when it has problems, or a later drop of its key came."""
    _, path = drop.place()
    with io.BytesIO() if at.reading.bookmark.whole else _open(vendor, drop) as file:
        vendor_drop.go_on(at.reading, path, file, max_bytes=MAX_BYTES, until=until)
    if at.reading.problems.count or _is_over(_said(vendor, drop), drop):
        return None
    return accept(market if until is None else Timed(market, until), at.reading, at.begun)


def _keep(vendor: ObjectStore, drop: Drop, at: Working) -> Report | None:
    """Keep what was done for the next call; None when another call did so meanwhile, and goes on."""
    if drop.version is None:
        raise _RefusedError("time", "the time was up, and another call could meet another file: drop it in parts")
    if at.calls + 1 >= MAX_CALLS:
        raise _RefusedError("time", f"the time was up {MAX_CALLS} times: drop it in parts")
    return report.under_way(drop, at) if working.save(vendor, drop, at) else None


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
