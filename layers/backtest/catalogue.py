"""The catalogue of snapshots: what a reference means, what differs between two, withdrawing and naming one.

The table `snapshots` decides; the index in the bucket follows it, for readers that have the bucket alone.
"""

from __future__ import annotations

from typing import Any

from backtest.errors import CallerError
from backtest.store.rows import Snapshot
from backtest.store.snapshots import Snapshots
from tapedeck.market import diff, history, reference, snapshot
from tapedeck.market.errors import (
    AmbiguousSnapshotError,
    MarketError,
    SnapshotReferenceError,
    UnknownSnapshotError,
    UnknownUniverseError,
    WithdrawnSnapshotError,
)
from tapedeck.market.store import ObjectStore
from tapedeck.suggest import did_you_mean

DETAILS = 200  # symbols whose months and actions an answer tells
REASON_CHARACTERS = 500
_CODES: dict[type[MarketError], str] = {
    AmbiguousSnapshotError: "AMBIGUOUS_SNAPSHOT",
    SnapshotReferenceError: "BAD_VALUE",
    UnknownSnapshotError: "UNKNOWN_SNAPSHOT",
    WithdrawnSnapshotError: "WITHDRAWN_SNAPSHOT",
}


def resolve(table: Snapshots, dataset: str, text: str) -> Snapshot:
    """Return the snapshot that a new run on `text` reads (`tapedeck.market.reference`).

    Raises `CallerError` 400: UNKNOWN_DATASET, UNKNOWN_SNAPSHOT, AMBIGUOUS_SNAPSHOT, WITHDRAWN_SNAPSHOT, BAD_VALUE.
    """
    newest = table.latest(dataset)
    if newest is None:
        names = [s.dataset for s in table.datasets()]
        hint = did_you_mean(dataset, names) or f"; there are: {', '.join(names) or 'none yet'}"
        raise CallerError(400, "UNKNOWN_DATASET", f"there is no dataset {dataset!r}{hint}", key="dataset")
    try:
        wanted = reference.parse(text)
        if wanted.text is not None:
            return reference.the_one(text, dataset, table.matching(wanted.text, dataset))
        found = newest if wanted.at is None else table.as_of(dataset, wanted.at)
        if found is None:
            raise UnknownSnapshotError(f"{dataset} has no snapshot {text!r}")
        return found
    except tuple(_CODES) as e:
        raise CallerError(400, _CODES[type(e)], str(e), key="snapshot") from e


def find(table: Snapshots, text: str, dataset: str | None) -> Snapshot:
    """Return the snapshot of this id, begin of an id or name, withdrawn or not; equal ids in two datasets need one.

    With a dataset also "latest" and "as_of:" a time, as `resolve` takes them. Raises `CallerError` 404
    UNKNOWN_SNAPSHOT, 400 AMBIGUOUS_SNAPSHOT, BAD_VALUE.
    """
    if dataset is not None and reference.is_moving(text):
        return resolve(table, dataset, text)
    found = table.matching(text, dataset)
    if not found:
        raise CallerError(404, "UNKNOWN_SNAPSHOT", f"there is no snapshot {text[:64]!r}")
    if len(found) > 1:
        which = ", ".join(f"{one.id[:12]} of {one.dataset}" for one in found[:5])
        raise CallerError(400, "AMBIGUOUS_SNAPSHOT", f"{text[:64]!r} may be {which}: say more of it, or ?dataset=")
    return found[0]


def compare(table: Snapshots, market: ObjectStore, new: Snapshot, text: str) -> dict[str, Any]:
    """Return what leads from the snapshot `text` of the same dataset to `new`, as JSON."""
    old = find(table, text, new.dataset)
    before, after = (snapshot.load(market, one.dataset, one.id) for one in (old, new))
    return diff.as_json(diff.diff(before, after, DETAILS))


def universes(market: ObjectStore, row: Snapshot) -> dict[str, int]:
    """Return a snapshot's universes, with how many symbols are in each."""
    held = snapshot.load(market, row.dataset, row.id).universes
    return {name: held[name].count for name in sorted(held)}


def members(market: ObjectStore, row: Snapshot, name: str) -> list[str]:
    """Return the symbols of a universe, "*" for all. Raises `CallerError` 404 UNKNOWN_UNIVERSE."""
    try:
        return list(snapshot.load(market, row.dataset, row.id).universe(name))
    except UnknownUniverseError as e:
        raise CallerError(404, "UNKNOWN_UNIVERSE", str(e), universe=name[:64]) from e


def withdraw(table: Snapshots, market: ObjectStore, row: Snapshot, *, reason: object, by: str) -> Snapshot:
    """Withdraw a snapshot; repeated, it finishes what a failure in between left. Raises `CallerError` 400."""
    if not isinstance(reason, str) or not reason.strip() or not reason.isprintable() or len(reason) > REASON_CHARACTERS:
        message = f"reason: say in up to {REASON_CHARACTERS} characters why"
        raise CallerError(400, "BAD_VALUE", message, key="reason")
    table.withdraw(id=row.id, dataset=row.dataset, reason=reason, by=by)
    history.withdraw(market, row.dataset, row.id, reason)
    return table.get(row.id, row.dataset) or row


def name(table: Snapshots, market: ObjectStore, row: Snapshot, *, name: object) -> Snapshot:
    """Give a snapshot a name; None takes it away. Raises `CallerError` 400, 409 NAME_TAKEN."""
    if name is not None:
        try:
            reference.check_name(str(name))
        except SnapshotReferenceError as e:
            raise CallerError(400, "BAD_VALUE", str(e), key="name") from e
    named = None if name is None else str(name)
    if not table.name(id=row.id, dataset=row.dataset, name=named):
        raise CallerError(409, "NAME_TAKEN", f"another snapshot of {row.dataset} is called {named!r}", key="name")
    history.name(market, row.dataset, row.id, named)
    return table.get(row.id, row.dataset) or row
