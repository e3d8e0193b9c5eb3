"""Events of the runs bucket, by EventBridge and SQS: each becomes a step of its job's row, and measures."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from backtest.cloud.objects import Bucket
from backtest.cloud.queue import Queue
from backtest.record import Recorder
from backtest.settings import Settings
from backtest.store import open_store

logger = Logger()


@cache
def recorder() -> Recorder:
    """Return what the environment describes; its connections last as long as the process."""
    s = Settings.read("db_secret_arn", "runs_bucket", "tasks_queue_url")
    return Recorder(open_store(s.db_secret_arn), Bucket(s.runs_bucket), Queue(s.tasks_queue_url))


def one(record: SQSRecord) -> None:
    """Record one event; an exception leaves its message on the queue."""
    key = json.loads(record.body)["detail"]["object"]["key"]
    applied = recorder().record(key)
    if applied is not None:
        logger.info("recorded", key=key, move=applied.step.move, status=applied.job.status)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> Any:
    """Record a batch; messages that failed are delivered again."""
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event=event, record_handler=one, processor=processor, context=context)
