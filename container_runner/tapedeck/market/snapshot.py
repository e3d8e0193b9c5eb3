"""A snapshot: an immutable state of a dataset, named by its content.

Its root is canonical JSON whose SHA-256 is the snapshot's id. The root names a digest for each symbol's leaf, a leaf
names the digest of each month's decoded content: so the id is a digest of all months, actions, former tickers,
universes and the calendar, and the same content has the same id in any bucket. A run loads the root and the leaves of
its own symbols.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from tapedeck.market import calendar as calendars
from tapedeck.market import canonical, layout, universe
from tapedeck.market import leaf as leaves
from tapedeck.market.errors import DataError, UnknownSnapshotError, UnknownSymbolError, UnknownUniverseError
from tapedeck.market.leaf import Leaf
from tapedeck.market.store import ObjectStore, get_all
from tapedeck.market.universe import Universe


@dataclass(frozen=True)
class Entry:
    """What the root says of a symbol: its leaf's digest, first and last session with a bar (None: actions only)."""

    leaf: str
    first: date | None
    last: date | None


@dataclass(frozen=True)
class Snapshot:
    """A snapshot's root; leaves are read when asked for and kept."""

    id: str
    dataset: str
    calendar: str
    bar: str
    calendar_digest: str | None  # of the sessions from the first to the last bar; None: there is no bar
    entries: Mapping[str, Entry]  # every symbol that has bars or actions
    store: ObjectStore = field(repr=False, compare=False)
    universes: Mapping[str, Universe] = field(default_factory=dict)
    _leaves: dict[str, Leaf] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that have bars, sorted."""
        return tuple(sorted(name for name, entry in self.entries.items() if entry.first))

    def universe(self, name: str) -> tuple[str, ...]:
        """Return the symbols of a universe, sorted; of "*" all. Raises UnknownUniverseError, DataError."""
        if name == universe.ALL:
            return self.symbols
        if name not in self.universes:
            raise UnknownUniverseError(universe.unknown(name, self.dataset, self.universes))
        return universe.load(self.store, self.dataset, name, self.universes[name])

    def span(self, symbol: str) -> tuple[date, date]:
        """Return the first and last session with a bar of the symbol. Raises UnknownSymbolError."""
        entry = self.entries.get(symbol)
        if entry is None or entry.first is None or entry.last is None:
            raise UnknownSymbolError(symbol, self.dataset)
        return entry.first, entry.last

    def check_calendar(self) -> None:
        """Raise DataError when this version's calendar is not the one that the snapshot was made with."""
        if self._calendar_agrees:
            return
        raise DataError(f"the snapshot {self.id} of {self.dataset} was made with another calendar {self.calendar}")

    @cached_property
    def _calendar_agrees(self) -> bool:
        return _calendar_digest(self.calendar, self.entries) == self.calendar_digest

    @property
    def leaves_read(self) -> int:
        """How many leaves are held in memory."""
        return len(self._leaves)

    def leaf(self, symbol: str) -> Leaf:
        """Return a symbol's leaf. Raises UnknownSymbolError; DataError for a leaf that is not what the root says."""
        return self.leaves([symbol])[symbol]

    def leaves(self, symbols: Iterable[str]) -> dict[str, Leaf]:
        """Return the leaves of several symbols, those not had before read in parallel; errors as in `leaf`."""
        wanted = list(dict.fromkeys(symbols))
        for symbol in wanted:
            if symbol not in self.entries:
                raise UnknownSymbolError(symbol, self.dataset)
        missing = [symbol for symbol in wanted if symbol not in self._leaves]
        keys = [layout.snapshot_leaf_key(self.dataset, self.entries[symbol].leaf) for symbol in missing]
        with closing(get_all(self.store, [(key, None) for key in keys])) as bodies:
            for symbol, key, body in zip(missing, keys, bodies, strict=True):
                self._leaves[symbol] = check_leaf(symbol, self.entries[symbol].leaf, key, body)
        return {symbol: self._leaves[symbol] for symbol in wanted}


def check_leaf(symbol: str, digest: str, key: str, body: bytes | None) -> Leaf:
    """Return the leaf of an object's bytes. Raises DataError when it is not the one of this symbol and digest."""
    if body is None:
        raise DataError("the snapshot's leaf is gone", symbol=symbol, key=key)
    try:
        leaf = leaves.from_bytes(body)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError("the snapshot's leaf does not parse", symbol=symbol, key=key) from error
    if leaf.symbol != symbol or leaf.digest() != digest:
        raise DataError("the snapshot's leaf does not have its digest", symbol=symbol, key=key)
    return leaf


def root_bytes(
    dataset: layout.Dataset, entries: Mapping[str, Entry], universes: Mapping[str, Universe] | None = None
) -> bytes:
    """Return the canonical root over these entries and universes; its SHA-256 is the snapshot's id."""
    lists = {name: [one.digest, one.count] for name, one in (universes or {}).items()}
    return canonical.to_bytes(
        ({"universes": lists} if lists else {})  # ids are what they were before there were universes
        | {
            "schema": 1,
            "bar": dataset.bar,
            "calendar": {
                "name": dataset.calendar,
                "digest": _calendar_digest(dataset.calendar, entries),
            },
            "symbols": {
                symbol: {"leaf": entry.leaf, "first": _iso(entry.first), "last": _iso(entry.last)}
                for symbol, entry in entries.items()
            },
        }
    )


def _calendar_digest(calendar: str, entries: Mapping[str, Entry]) -> str | None:
    firsts = [entry.first for entry in entries.values() if entry.first]
    lasts = [entry.last for entry in entries.values() if entry.last]
    return calendars.get(calendar).digest(min(firsts), max(lasts)) if firsts and lasts else None


def parse(store: ObjectStore, dataset: str, snapshot_id: str, body: bytes) -> Snapshot:
    """Return the snapshot of a root's bytes. Raises DataError when they do not have the id as their digest."""
    key = layout.snapshot_root_key(dataset, snapshot_id)
    if canonical.digest(body) != snapshot_id:
        raise DataError("the snapshot's root does not have its digest", key=key)
    root: dict[str, Any] = json.loads(body)
    return Snapshot(
        id=snapshot_id,
        dataset=dataset,
        calendar=root["calendar"]["name"],
        bar=root["bar"],
        calendar_digest=root["calendar"]["digest"],
        entries={
            symbol: Entry(entry["leaf"], _date(entry["first"]), _date(entry["last"]))
            for symbol, entry in root["symbols"].items()
        },
        universes={name: Universe(*said) for name, said in root.get("universes", {}).items()},
        store=store,
    )


def load(store: ObjectStore, dataset: str, snapshot_id: str) -> Snapshot:
    """Return a snapshot by its id, reading its root only. Raises UnknownSnapshotError, DataError, DatasetNameError."""
    layout.parse_dataset(dataset)
    if not layout.is_digest(snapshot_id):
        raise UnknownSnapshotError(f"{snapshot_id!r} is no snapshot id")
    key = layout.snapshot_root_key(dataset, snapshot_id)
    try:
        body = store.get(key)
    except KeyError:
        raise UnknownSnapshotError(f"{dataset} has no snapshot {snapshot_id}: there is no {key}") from None
    return parse(store, dataset, snapshot_id, body)


def latest(store: ObjectStore, dataset: str) -> str | None:
    """Return the id of the dataset's latest snapshot, None when it has none. Raises DatasetNameError, DataError."""
    layout.parse_dataset(dataset)
    try:
        body = store.get(layout.latest_key(dataset))
    except KeyError:
        return None
    try:
        held: str | None = json.loads(body)["snapshot"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError("the pointer to the latest snapshot does not parse", key=layout.latest_key(dataset)) from error
    return held


NOTHING = canonical.to_bytes({"snapshot": None})  # the pointer's bytes when every snapshot was withdrawn


def pointer_bytes(snapshot_id: str | None) -> bytes | None:
    """Return the latest pointer's bytes for a snapshot, None for none."""
    return canonical.to_bytes({"snapshot": snapshot_id}) if snapshot_id else None


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
