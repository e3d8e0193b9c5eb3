"""Reconcile: every minute, PostgreSQL, SQS, S3 and Kubernetes are made to agree; what was lost is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger

import run_objects
from backtest import layout
from backtest.cloud.cluster import Cluster, attempt_of
from backtest.cloud.objects import Bucket
from backtest.cloud.queue import Queue
from backtest.errors import PlatformError
from backtest.job import TERMINAL, Status
from backtest.logs import last_lines
from backtest.postmortem import cause_of_death, has_ended, usage
from backtest.record import Recorder
from backtest.store import Store
from backtest.store.rows import Job

logger = Logger(child=True)

QUEUED_SECONDS = 60  # a message that was not worked off for so long is sent again: the job is looked at, not run, twice
REPORT_SECONDS = 120
NO_REPORT_SECONDS = 90 * 60  # the queue has delivered a result five times by then, twelve minutes apart


@dataclass(frozen=True)
class Reconciler:
    """What reconciling needs."""

    store: Store
    runs: Bucket
    tasks: Queue
    dead_letters: Queue
    cluster: Cluster

    def reconcile(self) -> Counter[str]:
        """Look at everything once; return how often what was done. What fails keeps nothing else from its turn."""
        done: Counter[str] = Counter()
        for step in (self._enqueue, self._bury_and_clear, self._send_dead_letters, self._miss_reports):
            try:
                step(done)
            except PlatformError:
                logger.exception("a part of reconciling failed")
                done["failed"] += 1
        return done

    def _enqueue(self, done: Counter[str]) -> None:
        """Send the messages of jobs that nobody has dispatched."""
        for job in self.store.jobs.never_dispatched(QUEUED_SECONDS):
            self.tasks.send(job.task)
            self.store.jobs.mark_queued(job)
            done["enqueued"] += 1

    def _bury_and_clear(self, done: Counter[str]) -> None:
        """End attempts whose Job is gone; delete Jobs whose attempt has ended. Rows are read before the cluster is."""
        rows = self.store.jobs.dispatched()
        jobs = {key: item for item in self.cluster.jobs() if (key := attempt_of(item)) is not None}
        for row in rows:
            item = jobs.get(layout.AttemptKey(row.id, row.attempt))
            if item is None or has_ended(item):
                self._guarded(done, "buried", self._bury, row, item)
        standing = self.store.jobs.standing({key.job for key in jobs})
        for key, item in jobs.items():
            row_now = standing.get(key.job)
            ended = row_now is None or key.attempt < row_now.attempt or row_now.status in TERMINAL
            lets_finish = row_now is not None and row_now.status is Status.COMPLETED and not row_now.long_ended
            if ended and not lets_finish and not has_ended(item):
                self._guarded(done, "cleared", self.cluster.delete_job, item["metadata"]["name"])

    def _bury(self, row: Job, item: dict[str, Any] | None) -> None:
        """End an attempt that will not speak again: by its own last events, should they be lost, else by its pod."""
        recorder = Recorder(self.store, self.runs, self.tasks)
        events = layout.attempt_prefix(row.id, row.attempt) + "events/"
        heard = run_objects.event(row.id, row.attempt, row.sequence) if row.sequence >= 0 else ""
        for key in self.runs.list(events, after=heard):
            recorder.record(key)
        now = self.store.jobs.get(row.id)
        if now is None or now.status in TERMINAL or now.attempt != row.attempt:
            return
        started = now.attempt_started_at is not None
        pods = self.cluster.pods(row.id, row.attempt)
        cause = cause_of_death(item, pods, started=started)
        cause = cause.model_copy(update={"last_lines": last_lines(self.runs, row.id, row.attempt)})
        applied = self.store.jobs.end_attempt(row.id, row.attempt, cause, usage(pods))
        if applied is not None:
            recorder.tell(applied)
            logger.warning("an attempt ended without a word", job_id=row.id, attempt=row.attempt, cause=cause.message)

    def _send_dead_letters(self, done: Counter[str]) -> None:
        """Put jobs that failed by our fault where an operator looks: sent first, marked then, so perhaps twice."""
        for job in self.store.jobs.dead_letters():
            self.dead_letters.send({**job.task, "failure": {"kind": job.failure_kind, "message": job.failure_message}})
            self.store.jobs.mark_dead_lettered(job.id)
            done["dead letters"] += 1

    def _miss_reports(self, done: Counter[str]) -> None:
        """Tell of reports that are late; end the waiting for those that no delivery made."""
        given_up = self.store.jobs.give_up_reports(NO_REPORT_SECONDS)
        if given_up:
            logger.error("reports were given up: see the dead letters of render_tasks", jobs=given_up)
            done["reports given up"] = len(given_up)
        late = self.store.jobs.without_report(REPORT_SECONDS)
        if late:
            logger.error("completed runs without a report", jobs=late)
            done["reports missing"] = len(late)

    def _guarded(self, done: Counter[str], what: str, act: Callable[..., object], *arguments: object) -> None:
        try:
            act(*arguments)
            done[what] += 1
        except PlatformError:
            logger.exception("reconciling one job failed", what=what)
            done["failed"] += 1
