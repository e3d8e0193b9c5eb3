"""The daemon's work: make the months that a sidecar asks for present, each fetched and decoded once on the node."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock

from cache import encoded
from cache.ask import Ask, Asked
from cache.counts import Counts
from cache.tiers import Tiers
from tapedeck.market import encoding, mapped
from tapedeck.market.errors import EncodingError
from tapedeck.market.store import ObjectStore

THREADS = 16  # that wait for S3
_AHEAD = 2 * THREADS  # bodies of one request that may wait in memory to be decoded


class Node:
    """Answers `present` from several threads; `close` ends what it waits for."""

    def __init__(self, store: ObjectStore, tiers: Tiers, counts: Counts) -> None:
        self._store, self._tiers, self._counts = store, tiers, counts
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="get")
        self._decoding = Lock()  # one thread decodes: more would only hand the interpreter to and fro
        self._coming: dict[str, Event] = {}
        self._lock = Lock()

    def present(self, ask: Ask) -> list[bool]:
        """Return, for each month asked for, whether its decoded file is there now; takes no longer than asked."""
        deadline = time.monotonic() + ask.wait_s
        for digest in ask.doubt:
            self._tiers.decoded.doubt(digest)
        there = {month.digest: self._tiers.decoded.use(month.digest) for month in ask.months}
        hits = sum(there.values())
        mine, others = self._claim([month for month in ask.months if not there[month.digest]])
        try:
            for month, body, known in self._bodies(mine, deadline):
                there[month.digest] = self._enter(month.digest, body, known=known)
                self._release([month])
        finally:
            self._release(mine)
        for digest, coming in others.items():
            if coming.wait(max(0.0, deadline - time.monotonic())):
                there[digest] = self._tiers.decoded.use(digest)
                hits += there[digest]
        self._counts.add(requests=1, hits=hits, absent=sum(not found for found in there.values()))
        return [there[month.digest] for month in ask.months]

    def close(self) -> None:
        """Fetch nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _claim(self, months: Sequence[Asked]) -> tuple[list[Asked], dict[str, Event]]:
        """Return which of the months are this request's to fetch, and the events of those that another one fetches."""
        mine: list[Asked] = []
        others: dict[str, Event] = {}
        with self._lock:
            for month in months:
                if any(month.digest == own.digest for own in mine):
                    continue
                if month.digest in self._coming:
                    others[month.digest] = self._coming[month.digest]
                else:
                    self._coming[month.digest] = Event()
                    mine.append(month)
        return mine, others

    def _release(self, months: Sequence[Asked]) -> None:
        with self._lock:
            for month in months:
                coming = self._coming.pop(month.digest, None)
                if coming:
                    coming.set()

    def _bodies(self, months: Sequence[Asked], deadline: float) -> Iterator[tuple[Asked, bytes, bool]]:
        """Yield month, bytes and whether they were here encoded, read ahead; what fails or is late is left out."""
        waiting: deque[tuple[Asked, Future[tuple[bytes, bool]]]] = deque()
        rest = deque(months)
        try:
            while waiting or rest:
                while rest and len(waiting) < _AHEAD:
                    month = rest.popleft()
                    waiting.append((month, self._pool.submit(self._body, month)))
                month, future = waiting.popleft()
                try:
                    body, known = future.result(max(0.0, deadline - time.monotonic()))
                except TimeoutError:
                    future.cancel()
                    return
                except Exception:  # noqa: BLE001 - whatever it is, the sidecar asks S3 itself and names it
                    self._counts.add(failed=1)
                else:
                    yield month, body, known
        finally:
            for _, future in waiting:
                future.cancel()

    def _body(self, month: Asked) -> tuple[bytes, bool]:
        if self._tiers.encoded.use(month.digest):
            try:
                return encoded.read(self._tiers.encoded.path(month.digest)), True
            except (EncodingError, OSError):
                self._counts.add(corrupt=1)
                self._tiers.encoded.remove(month.digest)
        body = self._store.get(month.key, month.version)
        self._counts.add(fetched=1, fetched_bytes=len(body))
        return body, False

    def _enter(self, digest: str, body: bytes, *, known: bool) -> bool:
        """Check and decode a month, write both files; say whether the decoded one is there."""
        with self._decoding:
            try:
                month = encoding.decode(body)
                if encoding.digest(month) != digest:
                    raise EncodingError("the content does not have its digest")
            except EncodingError:
                self._counts.add(corrupt=1)
                self._tiers.encoded.remove(digest)
                return False
            if known:
                self._counts.add(decoded=1)
            else:
                self._tiers.keep(self._tiers.encoded, digest, encoded.to_bytes(body))
            return self._tiers.keep(self._tiers.decoded, digest, mapped.to_bytes(month, digest))
