"""Messages of `backtest_tasks`: each job they name is made to be in the cluster what it is in its row."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from backtest.cloud.cluster import cluster_of
from backtest.cloud.objects import Bucket
from backtest.dispatch import Dispatcher, Task
from backtest.settings import Settings
from backtest.store import open_store
from sandbox import policy

logger = Logger()
NEEDED = ("db_secret_arn", "runs_bucket", "market_bucket", "cluster_name", "cluster_endpoint", "cluster_ca")


@cache
def dispatcher() -> Dispatcher:
    """Return what the environment describes; its connections last as long as the process."""
    s = Settings.read(*NEEDED, "cluster_namespace", "credentials_url")
    return Dispatcher(open_store(s.db_secret_arn), Bucket(s.runs_bucket), cluster_of(s), s, policy.load())


def one(record: SQSRecord) -> None:
    """Dispatch one message; an exception leaves it on the queue."""
    task = Task.model_validate_json(record.body)
    done = dispatcher().dispatch(task)
    logger.info("dispatched", job_id=task.job_id, attempt=task.attempt, done=done)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> Any:
    """Dispatch a batch; messages that failed are delivered again."""
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event=event, record_handler=one, processor=processor, context=context)
