"""Record: a sidecar's events become the row's state. Events repeat, reorder and get lost; the row never goes back."""

from __future__ import annotations

from dataclasses import dataclass

from aws_lambda_powertools import Logger

from backtest.cloud.objects import Bucket, MissingObjectError, TooLargeError
from backtest.cloud.queue import Queue
from backtest.errors import PlatformError
from backtest.events import EVENT_BYTES, RESULT_BYTES, Event, Failure, MalformedError, read_event, read_result
from backtest.job import TERMINAL, Move
from backtest.measures import measure
from backtest.run_manifest import digest
from backtest.store import Store
from backtest.store.jobs import Applied, Verified
from backtest.store.rows import Job

logger = Logger(child=True)


@dataclass(frozen=True)
class Recorder:
    """What recording needs."""

    store: Store
    runs: Bucket
    tasks: Queue

    def record(self, key: str) -> Applied | None:
        """Take the event under `key` into its job's row; return what became of it.

        None: it is no event, or of no job. Raises `PlatformError` when it should be tried again.
        """
        try:
            event = read_event(key, self.runs.get(key, limit=EVENT_BYTES))
        except (MalformedError, MissingObjectError, TooLargeError) as e:
            logger.warning("an event that nobody can use", key=key, reason=str(e))
            return None
        verified, broken = self._verify(event)
        applied = self.store.jobs.record(event, verified, broken)
        if applied is not None:
            self.tell(applied)
        return applied

    def tell(self, applied: Applied) -> None:
        """Publish a step's measures, and send a next attempt's message; if not taken, the reconciler sends it."""
        measure(applied)
        if applied.step.move not in (Move.RETRY, Move.CRASH):
            return
        try:
            self.tasks.send(applied.job.task)
        except PlatformError:
            logger.exception("the next attempt's message was not sent", job_id=applied.job.id)

    def _verify(self, event: Event) -> tuple[Verified | None, Failure | None]:
        """Return the result that a COMPLETED pins, or why it cannot be used; nothing for what will be ignored."""
        if event.result is None or event.type != "COMPLETED":
            return None, None
        job = self.store.jobs.get(event.job)
        if job is None or job.status in TERMINAL or event.attempt != job.attempt:
            return None, None
        try:
            return self._read(job, event), None
        except (MalformedError, MissingObjectError, TooLargeError) as e:
            logger.warning("a result that cannot be used", job_id=job.id, reason=str(e))
            return None, Failure(kind="PLATFORM", message=f"the result cannot be used: {e}")

    def _read(self, job: Job, event: Event) -> Verified:
        ref = event.result
        assert ref is not None
        if ref.key != job.result_key:
            raise MalformedError(f"the result lies at {ref.key}")
        body = self.runs.get(ref.key, limit=RESULT_BYTES, version=ref.version_id)
        if digest(body) != ref.sha256:
            raise MalformedError("result.json does not have the digest that its event says")
        result = read_result(job.id, job.attempt, job.manifest_digest, body)
        return Verified(self.runs.uri(ref.key), ref.version_id, result)
