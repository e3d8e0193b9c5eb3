"""Strategies dropped in the upload bucket, by S3 notification and SQS; the answer is an object beside them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from backtest.cloud.objects import Bucket
from backtest.desk import NEEDED, Desk, open_desk
from backtest.drop import DroppedObject, submit_drop
from backtest.settings import Settings

logger = Logger()


@cache
def desk() -> tuple[Bucket, Desk]:
    """Return the upload bucket and the desk; connections last as long as the process."""
    settings = Settings.read(*NEEDED, "upload_bucket")
    return Bucket(settings.upload_bucket), open_desk(settings)


def one(record: SQSRecord) -> None:
    """Submit what one message tells of (S3's test message: nothing); an exception leaves it on the queue."""
    upload, taken_at = desk()
    for put in json.loads(record.body).get("Records", []):
        submit_drop(DroppedObject.of(put), upload, taken_at)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> Any:
    """Submit a batch; messages that failed are delivered again."""
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event=event, record_handler=one, processor=processor, context=context)
