"""Render a run's report when its result arrives."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from backtest.cloud.objects import Bucket
from backtest.events import MalformedError
from backtest.report.publish import render
from backtest.settings import Settings
from backtest.store import Store, open_store

logger = Logger()
processor = BatchProcessor(event_type=EventType.SQS)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> Any:
    """Take S3's "Object Created" events of results, through EventBridge and SQS; failed records are delivered again."""
    return process_partial_response(event=event, record_handler=_render, processor=processor, context=context)


def _render(record: SQSRecord) -> None:
    key = json.loads(record.body)["detail"]["object"]["key"]
    store, runs = _opened()
    try:
        logger.info("rendered" if render(store, runs, key) else "nothing to render", key=key)
    except MalformedError:
        logger.exception("the result cannot be rendered", key=key)  # again would be no better


@cache
def _opened() -> tuple[Store, Bucket]:
    settings = Settings.read("db_secret_arn", "runs_bucket")
    return open_store(settings.db_secret_arn), Bucket(settings.runs_bucket)
