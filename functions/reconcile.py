"""Every minute: what was lost between PostgreSQL, SQS, S3 and Kubernetes is found."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from backtest.cloud.cluster import cluster_of
from backtest.cloud.objects import Bucket
from backtest.cloud.queue import Queue
from backtest.reconcile import Reconciler
from backtest.settings import Settings
from backtest.store import open_store

logger = Logger()
NEEDED = ("db_secret_arn", "runs_bucket", "tasks_queue_url", "dead_letter_queue_url", "cluster_name")


@cache
def reconciler() -> Reconciler:
    """Return what the environment describes; its connections last as long as the process."""
    s = Settings.read(*NEEDED, "cluster_endpoint", "cluster_ca", "cluster_namespace")
    return Reconciler(
        store=open_store(s.db_secret_arn),
        runs=Bucket(s.runs_bucket),
        tasks=Queue(s.tasks_queue_url),
        dead_letters=Queue(s.dead_letter_queue_url),
        cluster=cluster_of(s),
    )


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Look once; the event says nothing."""
    done = dict(reconciler().reconcile())
    logger.info("reconciled", done=done)
    return done
