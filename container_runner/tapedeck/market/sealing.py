"""Sealing: a closed year's months as one object a symbol, because requests, not bytes, are what reading waits for.

The months stay the source of truth. A year is named in its leaf's side index after the stored object was read back and
every month in it had its digest; the key is made of what the months say, so that it never holds anything else, and
a corrected month leads to another key. Whatever interrupts, and whoever else seals: what is named is whole, and the
next sealing does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from tapedeck.market import calendar as calendars
from tapedeck.market import canonical, layout, months, snapshot, year_file
from tapedeck.market.errors import CalendarError, DataError, EncodingError, PublishConflictError
from tapedeck.market.leaf import Leaf, SealedYear
from tapedeck.market.months import MonthCache
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import ObjectStore
from tapedeck.market.wanted import wanted

_SYMBOLS = 4  # at once; each reads its months on threads of its own
_TRIES = 8  # against others that seal or publish the same leaf


@dataclass(frozen=True)
class Outcome:
    """Years of symbols: sealed now, sealed before, not reached in time; what could not be sealed, and why."""

    now: int = 0
    before: int = 0
    left: int = 0
    problems: tuple[str, ...] = ()

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.now + other.now, self.before + other.before, self.left + other.left, self.problems + other.problems
        )


def seal(
    store: ObjectStore,
    at: Snapshot,
    symbols: Iterable[str] | None = None,
    *,
    check: bool = False,
    go_on: Callable[[], bool] = lambda: True,
) -> Outcome:
    """Seal the closed years of a snapshot's symbols (None: all); before each year `go_on` says whether there is time.

    A year is closed when the snapshot has its last session's bars, or later ones, of any symbol. The snapshot keeps its
    id, and others that share a leaf have it sealed too. With `check`, what is sealed is read, and made anew where it is
    gone or damaged. Raises UnknownSymbolError, DataError for a damaged leaf, PublishConflictError when others kept
    changing one.
    """
    over = _closed(at)

    def one(symbol: str) -> Outcome:
        return _seal_symbol(store, at.dataset, at.leaf(symbol), over, check, go_on)

    with ThreadPoolExecutor(_SYMBOLS, thread_name_prefix="seal") as pool:
        return sum(pool.map(one, sorted(at.entries if symbols is None else set(symbols))), Outcome())


def _closed(at: Snapshot) -> Callable[[str], bool]:
    """Return what says of a year's name whether the snapshot knows it to its end."""
    last = max((entry.last for entry in at.entries.values() if entry.last), default=None)
    if last is None:
        return lambda _: False
    try:
        following = calendars.get(at.calendar).next_session(last).year
    except CalendarError:  # where the calendar ends, nobody knows whether the year does
        following = last.year
    return lambda name: int(name) < following


def _seal_symbol(  # noqa: PLR0917 -- as `seal`
    store: ObjectStore, dataset: str, leaf: Leaf, over: Callable[[str], bool], check: bool, go_on: Callable[[], bool]
) -> Outcome:
    made: dict[str, SealedYear] = {}
    problems, before, left = [], 0, 0
    for name in (year for year in sorted({month[:4] for month in leaf.months}) if over(year)):
        named = leaf.sealed_year(name)
        if named and not check:
            before += 1
        elif not go_on():
            left += 1
        else:
            try:
                found = _stored(store, dataset, leaf, name)
                if named and found == named:
                    before += 1
                else:
                    made[name] = found or _made(store, dataset, leaf, name)
            except (DataError, EncodingError) as error:
                problems.append(f"{leaf.symbol} {name}: {error}")
    if made:
        _name(store, dataset, leaf, made)
    return Outcome(len(made), before, left, tuple(problems))


def _made(store: ObjectStore, dataset: str, leaf: Leaf, name: str) -> SealedYear:
    """Store a year and return it, read back. Raises DataError, EncodingError."""
    asked = wanted(dataset, leaf, leaf.year(name))  # of a year that is not sealed: the months' own objects
    read = {want.name: month for want, month in months.load(store, asked, MonthCache(0))}
    key = layout.sealed_key(dataset, leaf.symbol, name, leaf.content_of(name))
    store.put(key, year_file.encode(read))
    stored = _stored(store, dataset, leaf, name)
    if stored is None:
        raise DataError("what was stored of the sealed year is not what was put", symbol=leaf.symbol, key=key)
    return stored


def _stored(store: ObjectStore, dataset: str, leaf: Leaf, name: str) -> SealedYear | None:
    """Return the year that the store has, every month of it checked; None when there is none or it is damaged."""
    content = leaf.content_of(name)
    try:
        body = store.get(layout.sealed_key(dataset, leaf.symbol, name, content))
        year_file.checked(body, {month: ref.digest for month, ref in leaf.year(name).items()})
    except (KeyError, EncodingError):
        return None
    return SealedYear(content, len(body), canonical.digest(body))


def _name(store: ObjectStore, dataset: str, leaf: Leaf, made: Mapping[str, SealedYear]) -> None:
    """Name years in the leaf's side index, beside what others have named meanwhile."""
    key = layout.snapshot_leaf_key(dataset, leaf.digest())
    for _ in range(_TRIES):
        body = store.get(key)
        held = snapshot.check_leaf(leaf.symbol, leaf.digest(), key, body)
        named = replace(held, sealed={**held.sealed, **made}).to_bytes()
        if named == body or store.swap(key, named, body):
            return
    raise PublishConflictError(f"others kept changing {key}")
