"""Publishing: the months of a change become objects, leaves, a root, and last the pointer that readers start from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from tapedeck.market import calendar as calendars
from tapedeck.market import canonical, encoding, history, layout, snapshot, universe
from tapedeck.market.actions import Dividend, Split
from tapedeck.market.calendar import Calendar
from tapedeck.market.encoding import Month
from tapedeck.market.errors import PublishConflictError
from tapedeck.market.leaf import Leaf, MonthRef, Place
from tapedeck.market.pause import PauseError, always
from tapedeck.market.snapshot import Entry, Snapshot
from tapedeck.market.store import ObjectStore, for_each, put_all
from tapedeck.market.universe import Lists

_TOGETHER = 256  # months or more, whose symbols are written together


@dataclass(frozen=True)
class Change:
    """What becomes different for a symbol: whole months by name, and actions and names where they are not None.

    Each month is asked for once, by one of several threads, and not kept: a mapping may make them as it goes.
    """

    months: Mapping[str, Month] = field(default_factory=dict)
    splits: tuple[Split, ...] | None = None
    dividends: tuple[Dividend, ...] | None = None
    names: tuple[tuple[date, str], ...] | None = None


@dataclass(frozen=True)
class Made:
    """A symbol's leaf that was written: the digest of the one before it, its entry, and how many months it took."""

    before: str | None
    entry: Entry
    months_written: int


@dataclass
class Begun:
    """What of a publication was done, by symbol; `go_on` says whether there is time for more."""

    made: dict[str, Made] = field(default_factory=dict)
    go_on: Callable[[], bool] = always


@dataclass(frozen=True)
class Published:
    """The snapshot that is the latest now, and how many months were written for it."""

    snapshot: Snapshot
    months_written: int


def publish(
    store: ObjectStore,
    dataset: layout.Dataset,
    base: Snapshot | None,
    changes: Mapping[str, Change],
    universes: Lists | None = None,
    *,
    begun: Begun | None = None,
) -> Published:
    """Make `base` with `changes` and these `universes` the dataset's latest snapshot.

    Months whose content the base has already are not written again; content that does not differ is the base's own
    snapshot. Readers see the old state or the new one: the pointer is swapped last, if it still names `base`.
    Raises PublishConflictError when it does not; what was written then is unreferenced and harmless, and not written
    again with the same `begun`, where the symbol is as it was. Content that was withdrawn is not published again:
    WithdrawnSnapshotError. A list that names a symbol without bars: UniverseError. No more time: PauseError.
    """
    begun = begun or Begun()
    entries = dict(base.entries) if base else {}
    todo = [symbol for symbol in changes if not _is_made(symbol, entries, begun)]
    for at, symbols in enumerate(_together(todo, changes)):
        if at and not begun.go_on():
            raise PauseError
        old = base.leaves(symbol for symbol in symbols if symbol in entries) if base else {}
        begun.made |= _make(store, dataset, old, {symbol: changes[symbol] for symbol in symbols})
    entries |= {symbol: begun.made[symbol].entry for symbol in changes}
    known = {symbol for symbol, entry in entries.items() if entry.first}
    lists, objects = universe.changed(base.universes if base else {}, universes or {}, known, dataset.name)
    root = snapshot.root_bytes(dataset, entries, lists)
    snapshot_id = canonical.digest(root)
    if base and base.id == snapshot_id:
        history.record(store, base)  # where what was published last time did not come so far
        return Published(base, 0)
    history.check_not_withdrawn(store, dataset.name, snapshot_id)

    put_all(store, objects)
    store.put(layout.snapshot_root_key(dataset.name, snapshot_id), root)
    if not _point(store, dataset.name, snapshot_id, base.id if base else None):
        raise PublishConflictError(f"{dataset.name} has another latest snapshot than {base.id if base else None}")
    made = snapshot.parse(store, dataset.name, snapshot_id, root)
    history.record(store, made)
    return Published(made, sum(begun.made[symbol].months_written for symbol in changes))


def _is_made(symbol: str, entries: Mapping[str, Entry], begun: Begun) -> bool:
    made, entry = begun.made.get(symbol), entries.get(symbol)
    return made is not None and made.before == (entry.leaf if entry else None)


def _together(symbols: list[str], changes: Mapping[str, Change]) -> Iterator[list[str]]:
    """Yield the symbols in such parts as have months enough to keep the threads at work."""
    part, months = list[str](), 0
    for symbol in symbols:
        part.append(symbol)
        months += len(changes[symbol].months)
        if months >= _TOGETHER:
            yield part
            part, months = [], 0
    if part:
        yield part


def _make(
    store: ObjectStore, dataset: layout.Dataset, old: Mapping[str, Leaf], changes: Mapping[str, Change]
) -> dict[str, Made]:
    """Write what is new of these symbols: months first, then leaves."""
    leaves, written = _put_months(store, dataset, old, changes)
    digests = {symbol: leaf.digest() for symbol, leaf in leaves.items()}
    before = {symbol: leaf.digest() for symbol, leaf in old.items()}
    new = [symbol for symbol in leaves if digests[symbol] != before.get(symbol)]
    put_all(store, [_leaf_object(dataset.name, leaves[symbol], digests[symbol]) for symbol in new])
    return {
        symbol: Made(before.get(symbol), Entry(digests[symbol], leaf.first, leaf.last), written[symbol])
        for symbol, leaf in leaves.items()
    }


def _point(store: ObjectStore, dataset: str, snapshot_id: str, before: str | None) -> bool:
    """Swap the pointer if it names `before`; say whether it was."""
    key, pointer = layout.latest_key(dataset), snapshot.pointer_bytes(snapshot_id)
    assert pointer is not None
    swapped = store.swap(key, pointer, snapshot.pointer_bytes(before))
    return swapped or (before is None and store.swap(key, pointer, snapshot.NOTHING))


def _put_months(
    store: ObjectStore, dataset: layout.Dataset, old: Mapping[str, Leaf], changes: Mapping[str, Change]
) -> tuple[dict[str, Leaf], dict[str, int]]:
    """Write the months whose content is new, a few at a time; return the leaves with the changes, and their numbers."""
    calendar = calendars.get(dataset.calendar)
    leaves = {
        symbol: _changed(old.get(symbol, Leaf(layout.check_symbol(symbol))), change)
        for symbol, change in changes.items()
    }
    refs: dict[str, dict[str, MonthRef]] = {}
    places: dict[str, dict[str, Place]] = {}

    def put(asked: tuple[str, str]) -> None:
        symbol, name = asked
        month = changes[symbol].months[name]
        refs.setdefault(symbol, {})[name] = ref = _reference(month, calendar)
        if leaves[symbol].months.get(name) != ref:
            body = encoding.encode(month)
            version = store.put(layout.month_name_key(dataset.name, symbol, name), body)
            places.setdefault(symbol, {})[name] = Place(version, len(body), canonical.digest(body))

    for_each(put, [(symbol, name) for symbol, change in changes.items() for name in change.months])
    for symbol, leaf in leaves.items():
        months = dict(sorted({**leaf.months, **refs.get(symbol, {})}.items()))
        made = replace(leaf, months=months, places={**leaf.places, **places.get(symbol, {})})
        still = {year: sealed for year, sealed in leaf.sealed.items() if made.sealed_year(year)}
        leaves[symbol] = replace(made, sealed=still)  # a corrected year is no longer sealed
    return leaves, {symbol: len(places.get(symbol, ())) for symbol in leaves}


def _changed(leaf: Leaf, change: Change) -> Leaf:
    return replace(
        leaf,
        splits=leaf.splits if change.splits is None else tuple(sorted(change.splits)),
        dividends=leaf.dividends if change.dividends is None else tuple(sorted(change.dividends)),
        names=leaf.names if change.names is None else change.names,
    )


def _reference(month: Month, calendar: Calendar) -> MonthRef:
    ts = month.columns["ts"]
    return MonthRef(
        digest=encoding.digest(month),
        rows=len(month),
        price_scale=month.price_scale,
        volume_scale=month.volume_scale,
        first=calendar.session_of(ts[0]),
        last=calendar.session_of(ts[-1]),
    )


def _leaf_object(dataset: str, leaf: Leaf, digest: str) -> tuple[str, bytes]:
    return layout.snapshot_leaf_key(dataset, digest), leaf.to_bytes()
