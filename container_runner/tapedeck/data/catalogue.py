"""A folder's snapshots, asked and told as the platform's are (`tapedeck.client.Client`): the same verbs and answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from tapedeck.market import diff, history, layout, snapshot, universe
from tapedeck.market.errors import UnknownSnapshotError
from tapedeck.market.history import Listed
from tapedeck.market.publish import publish
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore


class Catalogue(Protocol):
    """Where snapshots are listed, compared, named and withdrawn; a `reference` is `tapedeck.market.reference`'s."""

    def datasets(self) -> list[dict[str, Any]]:
        """Return the datasets, each with its newest snapshot."""
        ...

    def snapshots(self, dataset: str | None = None) -> list[dict[str, Any]]:
        """Return all snapshots, withdrawn ones too, the newest first."""
        ...

    def snapshot(self, reference: str, *, dataset: str, diff: str | None = None) -> dict[str, Any]:
        """Return a snapshot with its universes; with `diff` what leads from that other one to it."""
        ...

    def universe(self, reference: str, name: str, *, dataset: str) -> list[str]:
        """Return the symbols of a snapshot's universe."""
        ...

    def withdraw_snapshot(self, reference: str, reason: str, *, dataset: str) -> dict[str, Any]:
        """Withdraw a snapshot: no new run resolves to it."""
        ...

    def name_snapshot(self, reference: str, name: str | None, *, dataset: str) -> dict[str, Any]:
        """Give a snapshot a name; None takes it away."""
        ...


class Folder:
    """The catalogue of a folder. Every method raises `tapedeck.market.errors.MarketError`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._store = FolderStore(path)

    def datasets(self) -> list[dict[str, Any]]:
        """Return the datasets, each with its newest snapshot."""
        found = (history.load(self._store, name) for name in self._names())
        return [_told(one.dataset, newest) for one in found if (newest := one.newest())]

    def _names(self) -> list[str]:
        return sorted(one.parent.name for one in self._path.glob("snapshots/*/latest.json"))

    def snapshots(self, dataset: str | None = None) -> list[dict[str, Any]]:
        """Return all snapshots, withdrawn ones too, the newest first: one file is read a dataset."""
        names = [dataset] if dataset else self._names()
        listed = [(name, one) for name in names for one in history.load(self._store, name).list()]
        return [_told(*pair) for pair in sorted(listed, key=lambda pair: pair[1].published_at, reverse=True)]

    def snapshot(self, reference: str, *, dataset: str, diff: str | None = None) -> dict[str, Any]:
        """Return a snapshot with its universes; with `diff` what leads from that other one to it."""
        found = self._load(reference, dataset)
        told = self._line(dataset, found.id)
        told["universes"] = {name: found.universes[name].count for name in sorted(found.universes)}
        if diff:
            told["diff"] = _diff(self._load(diff, dataset), found)
        return told

    def universe(self, reference: str, name: str, *, dataset: str) -> list[str]:
        """Return the symbols of a snapshot's universe."""
        return list(self._load(reference, dataset).universe(name))

    def withdraw_snapshot(self, reference: str, reason: str, *, dataset: str) -> dict[str, Any]:
        """Withdraw a snapshot: no new run resolves to it."""
        found = self._load(reference, dataset)
        history.withdraw(self._store, dataset, found.id, reason)
        return self._line(dataset, found.id)

    def name_snapshot(self, reference: str, name: str | None, *, dataset: str) -> dict[str, Any]:
        """Give a snapshot a name; None takes it away."""
        found = self._load(reference, dataset)
        history.name(self._store, dataset, found.id, name)
        return self._line(dataset, found.id)

    def set_universe(self, dataset: str, name: str, symbols: tuple[str, ...] | None) -> str:
        """Give a universe these symbols, None: take it away; return the id of the new snapshot."""
        base = snapshot.load(self._store, dataset, history.resolve(self._store, dataset))
        lists: universe.Lists = {name: symbols}
        return publish(self._store, layout.parse_dataset(dataset), base, {}, lists).snapshot.id

    def _load(self, reference: str, dataset: str) -> Snapshot:
        return snapshot.load(self._store, dataset, history.find(self._store, dataset, reference))

    def _line(self, dataset: str, id: str) -> dict[str, Any]:
        for one in history.load(self._store, dataset).list():
            if one.id == id:
                return _told(dataset, one)
        raise UnknownSnapshotError(f"the snapshot {id} of {dataset} is not listed")


def _diff(old: Snapshot, new: Snapshot) -> dict[str, Any]:
    return diff.as_json(diff.diff(old, new))


def _told(dataset: str, one: Listed) -> dict[str, Any]:
    return {
        "id": one.id,
        "dataset": dataset,
        "name": one.name,
        "symbols": one.symbols,
        "first_session": one.first_session.isoformat(),
        "last_session": one.last_session.isoformat(),
        "published_at": one.published_at.isoformat(),
        "withdrawn_at": one.withdrawn_at.isoformat() if one.withdrawn_at else None,
        "withdrawn_reason": one.withdrawn_reason,
    }
