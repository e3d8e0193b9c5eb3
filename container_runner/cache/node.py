"""The daemon's work: make the years that a sidecar asks for present, each fetched and decoded once on the node."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import lru_cache
from threading import Lock

from cache import encoded
from cache.ask import Asked, AskedYear, Bring, Held
from cache.counts import Counts
from cache.tiers import Tiers
from tapedeck.market import block as blocks
from tapedeck.market import encoding, gridded, layout, year_file, years
from tapedeck.market.encoding import Month
from tapedeck.market.errors import EncodingError
from tapedeck.market.filling import Filling
from tapedeck.market.grid import Grid, grid
from tapedeck.market.store import ObjectStore

THREADS = 16  # that wait for S3
_AT_ONCE = 2  # years in the making: one is fetched while the other one is decoded
_WAITING = 4096  # years that wait to be made; more are left to who asks


class Node:
    """Answers `held` and `bring` from several threads; `close` ends what it does."""

    def __init__(self, store: ObjectStore, tiers: Tiers, counts: Counts) -> None:
        self._store, self._tiers, self._counts = store, tiers, counts
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="get")
        self._makers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="make")
        self._decoding = Lock()  # one thread decodes: more would only hand the interpreter to and fro
        self._coming: dict[str, Future[None]] = {}
        self._lock = Lock()

    def held(self, ask: Held) -> list[bool]:
        """Return, for each name asked for, whether its file is there."""
        for name in ask.doubt:
            self._tiers.decoded.doubt(name)
        there = [self._tiers.decoded.use(name) for name in ask.names]
        self._counts.add(requests=1, hits=sum(there))
        return there

    def bring(self, ask: Bring) -> list[bool]:
        """Have the years made, if they are not there; return which are there now, after as long as asked at most.

        What was not made in time is made all the same, for the next one who asks.
        """
        deadline = time.monotonic() + ask.wait_s
        coming = [self._start(year) for year in ask.years if not self._tiers.decoded.use(year.name)]
        wait([future for future in coming if future], max(0.0, deadline - time.monotonic()))
        there = [self._tiers.decoded.use(year.name) for year in ask.years]
        self._counts.add(requests=1, absent=there.count(False))
        return there

    def close(self) -> None:
        """Fetch and make nothing more."""
        for pool in (self._makers, self._pool):
            pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, year: AskedYear) -> Future[None] | None:
        """Return the making of a year, begun now or by somebody else before."""
        with self._lock:
            if year.name not in self._coming and len(self._coming) < _WAITING:
                self._coming[year.name] = self._makers.submit(self._make, year)
            return self._coming.get(year.name)

    def _make(self, year: AskedYear) -> None:
        """Fetch, check, decode and write a year; what fails is the sidecar's to read from S3 and to name."""
        try:
            months = self._sealed(year) or list(self._months(year.months))
            with self._decoding:
                body = _file(year, months)
            self._counts.add(made=self._tiers.keep(self._tiers.decoded, year.name, body))
        except EncodingError:
            self._counts.add(corrupt=1)
        except Exception:  # noqa: BLE001 - whatever it is
            self._counts.add(failed=1)
        finally:
            with self._lock:
                self._coming.pop(year.name, None)

    def _sealed(self, year: AskedYear) -> list[Month] | None:
        """Return the months out of their sealed year; None where there is none that has them, whole and unharmed."""
        key, name = year.sealed_key, year.sealed
        if not key or not name or all(self._tiers.encoded.has(month.digest) for month in year.months):
            return None
        try:
            body, known = self._body(name, key, None)
            with self._decoding:
                held = year_file.checked(body, {month.month: month.digest for month in year.months})
        except EncodingError:
            self._counts.add(corrupt=1)
            self._tiers.encoded.remove(name)
            return None
        except Exception:  # noqa: BLE001 - whatever it is: the months are the source of truth
            return None
        self._keep(name, body, known=known)
        return [held[month.month] for month in year.months]

    def _months(self, asked: Sequence[Asked]) -> Iterator[Month]:
        bodies = [self._pool.submit(self._body, month.digest, month.key, month.version) for month in asked]
        try:
            for month, future in zip(asked, bodies, strict=True):
                body, known = future.result()
                with self._decoding:
                    entered = self._enter(month.digest, body, known=known)
                yield entered
        finally:
            for future in bodies:
                future.cancel()

    def _body(self, digest: str, key: str, version: str | None) -> tuple[bytes, bool]:
        """Return an object's bytes, and whether they were here."""
        if self._tiers.encoded.use(digest):
            try:
                return encoded.read(self._tiers.encoded.path(digest)), True
            except (EncodingError, OSError):
                self._counts.add(corrupt=1)
                self._tiers.encoded.remove(digest)
        body = self._store.get(key, version)
        self._counts.add(fetched=1, fetched_bytes=len(body))
        return body, False

    def _enter(self, digest: str, body: bytes, *, known: bool) -> Month:
        """Decode and check a month, keep its bytes. Raises EncodingError."""
        try:
            month = encoding.decode(body)
            if encoding.digest(month) != digest:
                raise EncodingError("the content does not have its digest")
        except EncodingError:
            self._tiers.encoded.remove(digest)
            raise
        self._keep(digest, body, known=known)
        return month

    def _keep(self, digest: str, body: bytes, *, known: bool) -> None:
        """Keep an object's bytes, which were found to be right."""
        if known:
            self._counts.add(decoded=1)
        else:
            self._tiers.keep(self._tiers.encoded, digest, encoded.to_bytes(body))


def _file(year: AskedYear, months: Sequence[Month]) -> bytes:
    """Return the months on their grid. Raises EncodingError for a bar that is not on it."""
    rows = _grid(year.dataset, *(year.months[at].month for at in (0, -1)))
    block = blocks.empty(rows, [year.symbol], gridded.FIELDS)
    filling = Filling(block)
    first, last = block.ts[0], block.ts[-1]
    edges = [(ts[0], ts[-1]) for month in months if len(ts := month.columns["ts"])]
    if not all(first <= begin and end <= last for begin, end in edges) or not filling.take(0, months):
        raise EncodingError("has a bar that is not on the grid")
    filling.finish()
    return gridded.to_bytes(year.name, {name: values[:, 0] for name, values in block.fields.items()})


@lru_cache(maxsize=64)  # the same for all symbols
def _grid(dataset: str, first: str, last: str) -> Grid:
    known = layout.parse_dataset(dataset)
    return grid(known.calendar, known.bar, *years.span(dataset, [first, last]))
