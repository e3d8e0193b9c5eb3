"""Strategies dropped in the upload bucket, by S3 notification and SQS; the answer is an object beside them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from backtest.cloud import clients
from backtest.cloud.objects import Bucket
from backtest.cloud.queue import Queue
from backtest.drop import DroppedObject, submit_drop
from backtest.run_manifest import Images
from backtest.settings import Settings
from backtest.store import open_store
from backtest.submit import Desk
from sandbox import policy
from tapedeck.market.store import S3Store

logger = Logger()
NEEDED = ("db_secret_arn", "runs_bucket", "market_bucket", "upload_bucket", "tasks_queue_url")


@cache
def desk() -> tuple[Bucket, Desk]:
    """Return the upload bucket and what submitting needs; connections last as long as the process."""
    s = Settings.read(*NEEDED, "sidecar_image", "strategy_image")
    return Bucket(s.upload_bucket), Desk(
        store=open_store(s.db_secret_arn),
        runs=Bucket(s.runs_bucket),
        market=S3Store(clients.s3(), s.market_bucket),
        tasks=Queue(s.tasks_queue_url),
        images=Images(s.sidecar_image, s.strategy_image),
        policy=policy.load(),
    )


def one(record: SQSRecord) -> None:
    """Submit what one message tells of (S3's test message: nothing); an exception leaves it on the queue."""
    upload, submits = desk()
    for put in json.loads(record.body).get("Records", []):
        submit_drop(DroppedObject.of(put), upload, submits)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> Any:
    """Submit a batch; messages that failed are delivered again."""
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event=event, record_handler=one, processor=processor, context=context)
