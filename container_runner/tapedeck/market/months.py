"""Verified months: from memory or from the store; the last ones kept for the next chunk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import closing
from threading import Lock

from tapedeck.market.encoding import COLUMNS, Month
from tapedeck.market.fetch import Piece, fetch
from tapedeck.market.store import ObjectStore
from tapedeck.market.wanted import Wanted

KEEP_BYTES = 128 * 2**20


class MonthCache:
    """Decoded months by content digest; the least recently used go first past `limit` bytes."""

    def __init__(self, limit: int = KEEP_BYTES) -> None:
        self._limit = limit
        self._held = 0
        self._months: OrderedDict[str, Month] = OrderedDict()
        self._lock = Lock()

    def get(self, digest: str, columns: Collection[str] = COLUMNS) -> Month | None:
        """Return the month of this content, None when it is not held with `ts` and these columns."""
        with self._lock:
            month = self._months.get(digest)
            if month is None or not month.columns.keys() >= {"ts", *columns}:
                return None
            self._months.move_to_end(digest)
            return month

    def put(self, digest: str, month: Month) -> None:
        """Hold a month, in place of one with other columns."""
        with self._lock:
            held = self._months.pop(digest, None)
            if held and held.columns.keys() > month.columns.keys():
                month = held
            self._held += _size(month) - (_size(held) if held else 0)
            self._months[digest] = month
            while self._held > self._limit:
                self._held -= _size(self._months.popitem(last=False)[1])


def _size(month: Month) -> int:
    return sum(len(values) * values.itemsize for values in month.columns.values())


_CACHE = MonthCache()  # content addressed, so one is right for all stores and snapshots of the process


def load(
    store: ObjectStore, months: Sequence[Wanted], cache: MonthCache = _CACHE
) -> Generator[tuple[Wanted, Month], None, None]:
    """Yield the months in order, as `pieces` does, each by itself and with all columns."""
    with closing(pieces(store, months, cache)) as loaded:
        for piece in loaded:
            yield from piece.months()


def pieces(
    store: ObjectStore,
    months: Sequence[Wanted],
    cache: MonthCache = _CACHE,
    *,
    columns: Collection[str] = COLUMNS,
    keep: Callable[[Wanted], bool] = lambda _: True,
) -> Generator[Piece, None, None]:
    """Yield the months in order, each with at least `columns`, from memory or from the store.

    What `keep` says is held in `cache` for whoever asks next. Errors, and that it is to be closed, as `fetch.fetch`.
    """
    held = {want.key: month for want in months if (month := cache.get(want.ref.digest, columns)) is not None}
    with closing(fetch(store, [want for want in months if want.key not in held], columns)) as fetched:
        done: set[str] = set()
        for want in months:
            if want.key in done:
                continue
            month = held.pop(want.key, None)
            piece = Piece([want], month) if month else next(fetched)
            done.update(one.key for one in piece.wants)
            if not month:
                _hold(cache, piece, keep)
            yield piece


def _hold(cache: MonthCache, piece: Piece, keep: Callable[[Wanted], bool]) -> None:
    for want, month in piece.months() if any(map(keep, piece.wants)) else ():
        if keep(want):
            cache.put(want.ref.digest, month if len(piece.wants) == 1 else month.copy())
