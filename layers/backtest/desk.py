"""The desk at which submissions are taken: what the API and the drop work with."""

from __future__ import annotations

from dataclasses import dataclass

from backtest.cloud import clients
from backtest.cloud.objects import Bucket
from backtest.cloud.queue import Queue
from backtest.run_manifest import Images
from backtest.settings import Settings
from backtest.store import Store, open_store
from sandbox import policy
from sandbox.policy import Policy
from tapedeck.market.store import ObjectStore, S3Store

NEEDED = ("db_secret_arn", "runs_bucket", "market_bucket", "tasks_queue_url", "sidecar_image", "strategy_image")


@dataclass(frozen=True)
class Desk:
    """The tables, the buckets, the queue, the images and the limits of a deployment."""

    store: Store
    runs: Bucket
    market: ObjectStore
    tasks: Queue
    images: Images
    policy: Policy


def open_desk(settings: Settings) -> Desk:
    """Return the desk of a deployment whose settings name `NEEDED`; it connects at first use."""
    return Desk(
        store=open_store(settings.db_secret_arn),
        runs=Bucket(settings.runs_bucket),
        market=S3Store(clients.s3(), settings.market_bucket),
        tasks=Queue(settings.tasks_queue_url),
        images=Images(settings.sidecar_image, settings.strategy_image),
        policy=policy.load(),
    )
