"""An EventBridge rule: objects created in the runs bucket under keys of one pattern go to one queue."""

from __future__ import annotations

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct


class ObjectRule(Construct):
    """Sends the event as it is; `pattern` is a key with `*`."""

    def __init__(self, scope: Construct, id: str, *, bucket: s3.IBucket, pattern: str, queue: sqs.IQueue) -> None:
        super().__init__(scope, id)
        self.rule = events.Rule(
            self,
            "Rule",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={
                    "bucket": {"name": [bucket.bucket_name]},
                    "object": {"key": events.Match.wildcard(pattern)},
                },
            ),
            targets=[targets.SqsQueue(queue)],
        )
