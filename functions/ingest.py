"""Take in the files that vendors' owners drop, from the queue of S3's notifications.

A drop that a call does not finish goes back to the queue, for the next call to go on with.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from backtest.cloud import clients
from backtest.cloud.queue import Queue
from backtest.ingest import ingest
from backtest.ingest.deadline import Time
from backtest.ingest.drop import drops
from backtest.ingest.report import Report
from backtest.ingest.seal import seal
from backtest.settings import Settings
from backtest.store import open_store
from tapedeck.market.store import S3Store

logger = Logger()
MARGIN_S = 60  # a year that is begun is sealed to its end


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> Any:  # powertools' PartialItemFailureResponse
    """Ingest each message's drops; only what failed for reasons of ours comes back."""
    settings = Settings.read("db_secret_arn", "vendor_bucket", "market_bucket", "vendor_queue_url")
    vendor = S3Store(clients.s3(), settings.vendor_bucket)
    market = S3Store(clients.s3(), settings.market_bucket)
    snapshots = open_store(settings.db_secret_arn).snapshots
    queue = Queue(settings.vendor_queue_url)

    def take(record: SQSRecord) -> None:
        for drop in drops(record.body):
            time = Time.of(context.get_remaining_time_in_millis() / 1000)
            answer = ingest(vendor=vendor, market=market, snapshots=snapshots, drop=drop, time=time)
            logger.info("drop", key=drop.key, version=drop.version, status=answer["status"] if answer else "ANSWERED")
            if answer and answer["status"] == "UNDER_WAY":
                queue.send(drop.message())
            elif answer:
                sealed(answer)

    def sealed(answer: Report) -> None:
        try:
            done = seal(market, answer, left_s=context.get_remaining_time_in_millis() / 1000 - MARGIN_S)
        except Exception:  # the drop is taken and answered: that sealing failed must not bring it back
            logger.exception("sealing", dataset=answer["dataset"], snapshot=answer["snapshot"])
        else:
            logger.info("sealed", dataset=answer["dataset"], now=done.now, left=done.left, problems=done.problems)

    # The default raises when every message failed; with one message at a time that hides which.
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event=event, record_handler=take, processor=processor, context=context)
