"""Dispatch: the cluster is made to agree with the row. A message says only which job to look at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field

import run_objects
from backtest import layout
from backtest.cloud.cluster import Cluster
from backtest.cloud.objects import Bucket, MissingObjectError, TooLargeError
from backtest.errors import PlatformError
from backtest.events import Failure
from backtest.job import TERMINAL, Status
from backtest.manifest import Attempt, ClusterSettings, job_manifest
from backtest.run_manifest import Images, digest
from backtest.settings import Settings
from backtest.store import Store
from backtest.store.rows import Job
from sandbox.policy import Policy

logger = Logger(child=True)

MANIFEST_BYTES = 16 * 1024 * 1024
LEAST_SECONDS = 60  # less time left is none: the pod alone takes that long to come up


class Task(BaseModel):
    """The message on `backtest_tasks`, as the specification has it, and the attempt it is about."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    job_id: Annotated[str, Field(pattern=rf"^{layout.UUID}$")]
    attempt: Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Dispatcher:
    """What dispatching needs."""

    store: Store
    runs: Bucket
    cluster: Cluster
    settings: Settings
    policy: Policy

    def dispatch(self, task: Task) -> str:
        """Make the cluster agree with the job's row; return what was done, in a word for the log."""
        job = self.store.jobs.get(task.job_id)
        if job is None:
            return "unknown"
        if job.status in TERMINAL:
            return "deleted" if self.cluster.delete_job(layout.job_name(job.id, job.attempt)) else "nothing to delete"
        if task.attempt != job.attempt or job.status is not Status.PENDING:
            return "stale"
        left = self.policy.deadline_seconds - int(job.used_seconds)
        if left < LEAST_SECONDS:
            why = f"the run has used its {self.policy.deadline_seconds} seconds in {job.attempt - 1} attempts"
            self.store.jobs.end_attempt(job.id, job.attempt, Failure(kind="TIMEOUT", message=why))
            return "out of time"
        created = self.cluster.create_job(self._manifest(job, left))
        self.store.jobs.mark_dispatched(job)
        return "created" if created else "there already"

    def _manifest(self, job: Job, seconds: int) -> dict[str, object]:
        images = self._images(job)
        attempt = Attempt(job.id, job.attempt, job.manifest_digest, seconds)
        s = self.settings
        cluster = ClusterSettings(
            namespace=s.cluster_namespace,
            sidecar_image=images.sidecar,
            strategy_image=images.strategy,
            runs_bucket=s.runs_bucket,
            market_bucket=s.market_bucket,
            credentials_url=s.credentials_url,
            region=s.aws_region,
        )
        return job_manifest(attempt, cluster, self.policy)

    def _images(self, job: Job) -> Images:
        """Return the images that the run manifest pins: a deployment between submit and dispatch changes no run."""
        try:
            body = self.runs.get(run_objects.run_manifest(job.id), limit=MANIFEST_BYTES)
        except (MissingObjectError, TooLargeError) as e:
            raise PlatformError(f"the run manifest of {job.id} cannot be used: {e}") from e
        if digest(body) != job.manifest_digest:
            raise PlatformError(f"the run manifest of {job.id} is not the one that was submitted")
        manifest = json.loads(body)
        return Images(sidecar=manifest["sidecar_image"], strategy=manifest["strategy_image"])
