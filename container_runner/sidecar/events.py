"""The attempt's events, one object each, written once: the state machine outside hears of the run through them only."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import run_objects
from sidecar.clock import now
from tapedeck.market.store import ObjectStore

PROGRESS_EVERY_S = 0.5
_TRIES = 5  # sequence numbers tried when one is taken: a retried put that had arrived after all


class EventLog:
    """Events of one attempt; `seq` counts from 0 over all types.

    `journal` outlives a restart of the container (not of the pod): it tells a second sidecar of the same attempt which
    number comes next and whether the attempt has ended.
    """

    def __init__(self, store: ObjectStore, job: str, attempt: int, journal: Path) -> None:
        self._store = store
        self._job = job
        self._attempt = attempt
        self._journal = journal
        self._seq = 0
        self._progressed = -PROGRESS_EVERY_S
        self.ended = False
        self.resumed = journal.exists()
        if self.resumed:
            kept = json.loads(journal.read_text())
            self._seq, self.ended = kept["seq"], kept["ended"]

    def started(self) -> None:
        """Say that the sidecar has what it needs and waits for the strategy."""
        self._emit("STARTED")

    def progress(self, progress: run_objects.Progress, clock: Callable[[], float] = time.monotonic) -> None:
        """Say how far the run is: at most every PROGRESS_EVERY_S seconds, and at the end."""
        if progress["done"] == progress["total"] or clock() - self._progressed >= PROGRESS_EVERY_S:
            self._progressed = clock()
            self._emit("PROGRESS", progress=progress)

    def completed(self, result: run_objects.ResultRef) -> None:
        """Say that every artifact and the result can be read."""
        self._emit("COMPLETED", result=result)

    def failed(self, failure: run_objects.RunFailure, usage: run_objects.Usage) -> None:
        """Say why there is no result."""
        self._emit("FAILED", failure=failure, usage=usage)

    def drained(self) -> None:
        """Say that the machine is going away."""
        self._emit("DRAINED")

    def _emit(
        self,
        kind: run_objects.EventType,
        *,
        progress: run_objects.Progress | None = None,
        failure: run_objects.RunFailure | None = None,
        usage: run_objects.Usage | None = None,
        result: run_objects.ResultRef | None = None,
    ) -> None:
        for _ in range(_TRIES):
            event: run_objects.Event = {
                "schema": 1,
                "job": self._job,
                "attempt": self._attempt,
                "seq": self._seq,
                "type": kind,
                "at": now(),
                "progress": progress,
                "failure": failure,
                "usage": usage,
                "result": result,
            }
            key = run_objects.event(self._job, self._attempt, self._seq)
            self._seq += 1
            try:
                self._store.put(key, json.dumps(event, allow_nan=False).encode(), if_absent=True)
            except FileExistsError:
                continue
            self.ended = kind in ("COMPLETED", "FAILED", "DRAINED")
            self._journal.write_text(json.dumps({"seq": self._seq, "ended": self.ended}))
            return
        raise RuntimeError(f"{_TRIES} sequence numbers before {self._seq} are taken by another writer")
