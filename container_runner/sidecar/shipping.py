"""A thread that moves log segments out of the exchange and uploads what they said, so that a log can be followed."""

from __future__ import annotations

import threading
import time

import contract
import run_objects
from sidecar.clock import now
from sidecar.exchange import Exchange, IrregularError
from sidecar.logs import STREAMS, LogBook
from tapedeck.market.store import ObjectStore

COLLECT_EVERY_S = 0.1
COLLECT_AGAIN_S = 0.01  # while segments come: the launcher keeps a few and throws away what is beyond
UPLOAD_EVERY_S = 2.0


class LogShipper:
    """Collects and uploads in the background from `start` to `close`."""

    def __init__(self, exchange: Exchange, store: ObjectStore, job: str, attempt: int, book: LogBook) -> None:
        self._exchange = exchange
        self._store = store
        self._job = job
        self._attempt = attempt
        self._book = book
        self._next = dict.fromkeys(STREAMS, 0)
        self._waiting: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="logs", daemon=True)
        self.parts = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Take what is still there and upload the rest; a failure of the store is raised: call again."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._collect()
        self._waiting += self._book.close(now())
        self._upload()

    def last_lines(self, stream: str) -> list[str]:
        """Return the last lines of a stream; complete after `close`."""
        return self._book.last_lines(stream)

    def latest(self) -> list[str]:
        """Return the last lines of both streams, short; complete after `close`."""
        return self._book.latest()

    def _work(self) -> None:
        uploaded = time.monotonic()
        pause = COLLECT_EVERY_S
        while not self._stop.wait(pause):
            pause = COLLECT_AGAIN_S if self._collect() else COLLECT_EVERY_S
            self._waiting += self._book.ready()
            if time.monotonic() - uploaded >= UPLOAD_EVERY_S:
                try:
                    self._upload()
                except Exception as error:  # noqa: BLE001 - whatever the store says, the lines wait for the next try
                    print(f"a log part waits: {error}")  # noqa: T201 - the sidecar's own log is its stdout
                uploaded = time.monotonic()

    def _collect(self) -> bool:
        """Take what is there; say whether there was anything."""
        segments = self._exchange.log_segments()
        for stream, seq, name in segments:
            if seq >= self._next[stream]:
                self._next[stream] = seq + 1
                self._book.feed(stream, self._segment(name), now())
            self._exchange.discard(name)
        return bool(segments)

    def _segment(self, name: str) -> bytes:
        try:
            return self._exchange.take(name, contract.LOG_SEGMENT_BYTES) or b""
        except IrregularError:
            return b""

    def _upload(self) -> None:
        if self._waiting:
            body = "".join(line + "\n" for line in self._waiting).encode()
            self._store.put(run_objects.log(self._job, self._attempt, self.parts), body)
            self.parts += 1
            self._waiting = []
