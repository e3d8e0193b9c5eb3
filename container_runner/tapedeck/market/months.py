"""Verified months: fetched in parallel, checked against their digests, the last ones kept for the next chunk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

from tapedeck.market import encoding, layout
from tapedeck.market.encoding import COLUMNS, Month
from tapedeck.market.errors import DataError, EncodingError
from tapedeck.market.leaf import Leaf, MonthRef, Place
from tapedeck.market.store import ObjectStore, get_all

KEEP_BYTES = 128 * 2**20
_BATCH = 256  # months that are looked for in memory at once, and held there until they are used


class MonthCache:
    """Decoded months by content digest; the least recently used go first past `limit` bytes."""

    def __init__(self, limit: int = KEEP_BYTES) -> None:
        self._limit = limit
        self._held = 0
        self._months: OrderedDict[str, Month] = OrderedDict()
        self._lock = Lock()

    def get(self, digest: str) -> Month | None:
        """Return the month of this content, None when it is not held."""
        with self._lock:
            month = self._months.get(digest)
            if month is not None:
                self._months.move_to_end(digest)
            return month

    def put(self, digest: str, month: Month) -> None:
        """Hold a month."""
        with self._lock:
            if digest in self._months:
                return
            self._months[digest] = month
            self._held += _size(month)
            while self._held > self._limit:
                self._held -= _size(self._months.popitem(last=False)[1])


def _size(month: Month) -> int:
    return len(month) * len(COLUMNS) * 8


_CACHE = MonthCache()  # content addressed, so one is right for all stores and snapshots of the process


@dataclass(frozen=True)
class Wanted:
    """A month of a leaf, and where its bytes lie."""

    symbol: str
    name: str  # "2004-01"
    key: str
    ref: MonthRef
    place: Place


def wanted(dataset: str, leaf: Leaf, name: str) -> Wanted:
    """Return what to ask for to get a leaf's month."""
    key = layout.month_name_key(dataset, leaf.symbol, name)
    place = leaf.places.get(name, Place(None, 0))
    return Wanted(leaf.symbol, name, key, leaf.months[name], place)


def load(store: ObjectStore, months: Sequence[Wanted], cache: MonthCache = _CACHE) -> Iterator[tuple[Wanted, Month]]:
    """Yield the months in order.

    Raises DataError for a month that is gone, corrupt or not what the snapshot says.
    """
    for start in range(0, len(months), _BATCH):
        yield from _load(store, months[start : start + _BATCH], cache)


def _load(store: ObjectStore, months: Sequence[Wanted], cache: MonthCache) -> Iterator[tuple[Wanted, Month]]:
    held = [cache.get(want.ref.digest) for want in months]
    missing = [want for want, month in zip(months, held, strict=True) if month is None]
    bodies = get_all(store, [(want.key, want.place.version) for want in missing])
    for at, want in enumerate(months):
        month, held[at] = held[at], None
        yield want, month or _enter(want, next(bodies), cache)


def _enter(want: Wanted, body: bytes | None, cache: MonthCache) -> Month:
    month = _check(want, body)
    cache.put(want.ref.digest, month)
    return month


def _check(want: Wanted, body: bytes | None) -> Month:
    if body is None:
        raise DataError("the object is gone", symbol=want.symbol, month=want.name, key=want.key)
    try:
        month = encoding.decode(body)
    except EncodingError as error:
        raise DataError(str(error), symbol=want.symbol, month=want.name, key=want.key) from error
    if encoding.digest(month) != want.ref.digest:
        raise DataError(
            "the content does not have the snapshot's digest", symbol=want.symbol, month=want.name, key=want.key
        )
    return month
