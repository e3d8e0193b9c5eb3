"""A dataset's snapshots in one object of its store: what was published when, what it is called, what was withdrawn.

The pointer (`snapshot.latest`) is what publishing builds on; this index is what people and runs choose from. On the
platform the table `snapshots` is what runs resolve by, and the index its copy for who reads the bucket alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from tapedeck.market import canonical, layout, reference, snapshot
from tapedeck.market.errors import DataError, NameTakenError, PublishConflictError, UnknownSnapshotError
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import ObjectStore

_TRIES = 8  # against others that change the index at the same time


@dataclass(frozen=True)
class Listed:
    """A snapshot in the index. Sessions are exchange-local dates, both inclusive; times UTC."""

    id: str
    symbols: int  # with bars
    first_session: date
    last_session: date
    published_at: datetime  # for the last time
    name: str | None = None
    withdrawn_at: datetime | None = None
    withdrawn_reason: str | None = None


@dataclass(frozen=True)
class History:
    """What was published, oldest first: the same content can be published again, between others."""

    dataset: str
    snapshots: Mapping[str, Listed] = field(default_factory=dict)
    published: tuple[tuple[datetime, str], ...] = ()

    def newest(self, at: datetime | None = None) -> Listed | None:
        """Return the newest snapshot that is not withdrawn, of those published up to `at`; None: there is none."""
        for when, id in reversed(self.published):
            if (at is None or when <= at) and self.snapshots[id].withdrawn_at is None:
                return self.snapshots[id]
        return None

    def list(self) -> list[Listed]:
        """Return all snapshots, withdrawn ones too, the newest first."""
        return sorted(self.snapshots.values(), key=lambda one: one.published_at, reverse=True)


def load(store: ObjectStore, dataset: str) -> History:
    """Return a dataset's history, read in one request; empty where nothing was published.

    Raises DatasetNameError, DataError.
    """
    layout.parse_dataset(dataset)
    return _parse(dataset, _body(store, dataset))


def resolve(store: ObjectStore, dataset: str, text: str = reference.LATEST) -> str:
    """Return the id of the snapshot that a reference names (`tapedeck.market.reference`).

    Raises UnknownSnapshotError, AmbiguousSnapshotError, WithdrawnSnapshotError, SnapshotReferenceError,
    DatasetNameError.
    """
    wanted, history = reference.parse(text), load(store, dataset)
    if wanted.text is not None:
        found = reference.matching(wanted.text, history.snapshots.values())
        if not found and layout.is_digest(wanted.text):
            return wanted.text  # published before there was an index, or by another tool
        return reference.the_one(wanted.text, dataset, found).id
    if wanted.at is None:
        pointer = snapshot.latest(store, dataset)
        listed = history.snapshots.get(pointer) if pointer else None
        if pointer and (listed is None or listed.withdrawn_at is None):
            return pointer  # also where two were published at once and listed the other way round
    newest = history.newest(wanted.at)
    if newest is None:
        when = f" published up to {wanted.at.isoformat()}" if wanted.at else ""
        raise UnknownSnapshotError(f"{dataset} has no snapshot{when}")
    return newest.id


def find(store: ObjectStore, dataset: str, text: str) -> str:
    """Return the id of the snapshot that a reference names, withdrawn or not; errors else as in `resolve`."""
    if reference.is_moving(text):
        return resolve(store, dataset, text)
    found = reference.matching(text, load(store, dataset).snapshots.values())
    if len(found) == 1:
        return found[0].id
    return resolve(store, dataset, text)  # says what is wrong


def record(store: ObjectStore, made: Snapshot, at: datetime | None = None) -> None:
    """List a snapshot as published; one that is the last already, or has no bars, changes nothing."""
    if not made.symbols:
        return
    when = at or datetime.now(UTC)

    def add(history: History) -> History:
        if history.published and history.published[-1][1] == made.id:
            return history
        listed = replace(history.snapshots.get(made.id) or _listed(made, when), published_at=when)
        return History(history.dataset, {**history.snapshots, made.id: listed}, (*history.published, (when, made.id)))

    _change(store, made.dataset, add)


def check_not_withdrawn(store: ObjectStore, dataset: str, snapshot_id: str) -> None:
    """Raise WithdrawnSnapshotError when this content was withdrawn."""
    listed = load(store, dataset).snapshots.get(snapshot_id)
    if listed is not None:
        reference.the_one(snapshot_id, dataset, [listed])


def withdraw(store: ObjectStore, dataset: str, snapshot_id: str, reason: str, at: datetime | None = None) -> None:
    """Withdraw a snapshot: no new run resolves to it, and what is published next is not built on it.

    What is withdrawn already keeps its reason. Raises UnknownSnapshotError, DataError.
    """
    when = at or datetime.now(UTC)

    def mark(listed: Listed) -> Listed:
        return listed if listed.withdrawn_at else replace(listed, withdrawn_at=when, withdrawn_reason=reason)

    newest = _change_one(store, dataset, snapshot_id, mark).newest()
    if snapshot.latest(store, dataset) == snapshot_id:
        pointer = snapshot.pointer_bytes(newest.id) if newest else snapshot.NOTHING
        assert pointer is not None
        store.swap(layout.latest_key(dataset), pointer, snapshot.pointer_bytes(snapshot_id))


def name(store: ObjectStore, dataset: str, snapshot_id: str, text: str | None) -> None:
    """Give a snapshot a name, or take it away. Raises SnapshotReferenceError, NameTakenError, UnknownSnapshotError."""
    if text is not None:
        reference.check_name(text)
        for listed in load(store, dataset).snapshots.values():
            if listed.name == text and listed.id != snapshot_id:
                raise NameTakenError(f"the snapshot {listed.id} of {dataset} is called {text!r}")
    _change_one(store, dataset, snapshot_id, lambda listed: replace(listed, name=text))


def _change_one(store: ObjectStore, dataset: str, snapshot_id: str, change: Callable[[Listed], Listed]) -> History:
    """Change one snapshot's line; one that is in the store and not in the index comes into it, unpublished."""

    def changed(history: History) -> History:
        listed = history.snapshots.get(snapshot_id)
        if listed is None:
            listed = _listed(snapshot.load(store, dataset, snapshot_id), datetime.now(UTC))
        return replace(history, snapshots={**history.snapshots, snapshot_id: change(listed)})

    return _change(store, dataset, changed)


def _change(store: ObjectStore, dataset: str, change: Callable[[History], History]) -> History:
    for _ in range(_TRIES):
        body = _body(store, dataset)
        before = _parse(dataset, body)
        after = change(before)
        if after == before or store.swap(layout.history_key(dataset), _to_bytes(after), body):
            return after
    raise PublishConflictError(f"others kept changing the history of {dataset}")


def _listed(made: Snapshot, at: datetime) -> Listed:
    spans = [made.span(symbol) for symbol in made.symbols]
    if not spans:
        raise UnknownSnapshotError(f"the snapshot {made.id} of {made.dataset} has no bars")
    return Listed(made.id, len(spans), min(first for first, _ in spans), max(last for _, last in spans), at)


def _body(store: ObjectStore, dataset: str) -> bytes | None:
    try:
        return store.get(layout.history_key(dataset))
    except KeyError:
        return None


def _to_bytes(history: History) -> bytes:
    return canonical.to_bytes(
        {
            "schema": 1,
            "published": [[when.isoformat(), id] for when, id in history.published],
            "snapshots": {id: _line(one) for id, one in history.snapshots.items()},
        }
    )


def _line(one: Listed) -> dict[str, object]:
    return {
        "symbols": one.symbols,
        "first": one.first_session.isoformat(),
        "last": one.last_session.isoformat(),
        "published_at": one.published_at.isoformat(),
        "name": one.name,
        "withdrawn_at": one.withdrawn_at.isoformat() if one.withdrawn_at else None,
        "withdrawn_reason": one.withdrawn_reason,
    }


def _parse(dataset: str, body: bytes | None) -> History:
    if body is None:
        return History(dataset)
    try:
        said: dict[str, Any] = json.loads(body)
        return History(
            dataset,
            {id: _listed_of(id, line) for id, line in said["snapshots"].items()},
            tuple((datetime.fromisoformat(when), id) for when, id in said["published"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError("the index of the snapshots does not parse", key=layout.history_key(dataset)) from error


def _listed_of(id: str, line: Mapping[str, Any]) -> Listed:
    withdrawn = line["withdrawn_at"]
    return Listed(
        id,
        line["symbols"],
        date.fromisoformat(line["first"]),
        date.fromisoformat(line["last"]),
        datetime.fromisoformat(line["published_at"]),
        line["name"],
        datetime.fromisoformat(withdrawn) if withdrawn else None,
        line["withdrawn_reason"],
    )
