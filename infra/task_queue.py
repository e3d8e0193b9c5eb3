"""A queue that feeds one function: its dead-letter queue, its waiting times and the mapping, stated together."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.permissions import consume
from infra.platform_function import PlatformFunction
from infra.settings import Settings

_VISIBILITY_PER_TIMEOUT = 6  # AWS's advice: room for the poller's own retries of a throttled function
_MAX_RECEIVES = 5


class TaskQueue(Construct):
    """`queue` and `dead_letters`; `feed` connects the function. `timeout` is that function's, in seconds."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings, name: str, timeout: int) -> None:
        super().__init__(scope, id)
        self.name = name
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            queue_name=f"{settings.prefix}-{name}-dead-letters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
        )
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name=f"{settings.prefix}-{name}",
            encryption=sqs.QueueEncryption.SQS_MANAGED,  # S3 and EventBridge may send without a key policy
            enforce_ssl=True,
            retention_period=cdk.Duration.days(4),
            receive_message_wait_time=cdk.Duration.seconds(20),
            visibility_timeout=cdk.Duration.seconds(timeout * _VISIBILITY_PER_TIMEOUT),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=_MAX_RECEIVES),
        )

    def feed(self, consumer: PlatformFunction, *, batch: int, concurrency: int) -> None:
        """Let `consumer` work the queue off: `batch` messages at a time, at most `concurrency` (2 to 1000) at once."""
        for statement in consume(self.queue):
            consumer.role.add_to_policy(statement)
        mapping = lambda_.EventSourceMapping(
            self,
            "Mapping",
            target=consumer.function,
            event_source_arn=self.queue.queue_arn,
            batch_size=batch,
            max_concurrency=concurrency,
            report_batch_item_failures=True,
        )
        mapping.node.add_dependency(consumer.role)
