"""Ingest: a vendor's file becomes months and a new snapshot, or is refused with file and line; nothing between."""

from __future__ import annotations

import json
from datetime import date
from typing import Protocol

from backtest import layout
from backtest.errors import PlatformError
from backtest.ingest import report
from backtest.ingest.drop import Drop
from backtest.ingest.report import Report
from tapedeck.market import merge, snapshot
from tapedeck.market.errors import DatasetNameError, EncodingError, PublishConflictError, WithdrawnSnapshotError
from tapedeck.market.publish import Published, publish
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import ObjectStore
from tapedeck.market.vendor import drop as vendor_drop
from tapedeck.market.vendor.problems import Problem
from tapedeck.market.vendor.reading import Reading

MAX_BYTES = 512 * 2**20  # of a dropped object
_TRIES = 8  # against others that publish at the same time


class Snapshots(Protocol):
    """Where published snapshots are listed."""

    def publish(self, *, id: str, dataset: str, symbols: int, first_session: date, last_session: date) -> None:
        """List a snapshot as the newest of its dataset."""
        ...


def ingest(*, vendor: ObjectStore, market: ObjectStore, snapshots: Snapshots, drop: Drop) -> Report | None:
    """Take in a drop and answer it below `status/`; return the answer, None when a later drop of the key was answered.

    Run again for the same drop it does the same. Raises PlatformError when others kept publishing meanwhile.
    """
    status = layout.upload_status(drop.key)
    if _answered(vendor, status, drop):
        return None
    answer = _take(vendor, market, snapshots, drop)
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


def _take(vendor: ObjectStore, market: ObjectStore, snapshots: Snapshots, drop: Drop) -> Report:
    try:
        dataset, path = drop.place()
    except DatasetNameError as error:
        return _refused(drop, "name", str(error))
    if drop.size > MAX_BYTES:
        return _refused(drop, "size", f"{drop.size:,} bytes are more than {MAX_BYTES:,}: drop it in parts")
    try:
        body = vendor.get(drop.key, drop.version)
    except KeyError:
        return _refused(drop, "gone", "the object was deleted before it was read")
    reading = vendor_drop.read(dataset, path, body)
    if reading.problems.count:
        return report.refused(drop, reading.problems.shown, reading.problems.count)
    try:
        published = _publish(market, reading)
    except (EncodingError, WithdrawnSnapshotError) as error:
        return _refused(drop, "number" if isinstance(error, EncodingError) else "withdrawn", str(error))
    _list(snapshots, published.snapshot)
    return report.ingested(drop, reading, published)


def _publish(market: ObjectStore, reading: Reading) -> Published:
    """Publish on top of the latest snapshot, and again on top of the next one when another was faster."""
    months = {symbol: series.months() for symbol, series in reading.series.items()}
    for _ in range(_TRIES):
        held = snapshot.latest(market, reading.dataset.name)
        base = snapshot.load(market, reading.dataset.name, held) if held else None
        changes = merge.changes(market, base, reading, months)
        try:
            return publish(market, reading.dataset, base, changes)
        except PublishConflictError:
            continue
    raise PlatformError(f"others kept publishing {reading.dataset.name}")


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


def _refused(drop: Drop, code: str, message: str) -> Report:
    return report.refused(drop, [Problem(drop.key, None, code, message)], 1)
