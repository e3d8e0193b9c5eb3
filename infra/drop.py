"""A bucket in which people drop files; what they drop below incoming/ goes to a queue, who dropped it included."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_notifications as notifications
from constructs import Construct

from infra.bucket import Bucket
from infra.settings import Settings
from infra.task_queue import TaskQueue

INCOMING = "incoming/"
STATUS = "status/"  # answers; nobody but the consumer writes here
WORKING = "working/"  # what the consumer keeps from call to call
_WORKING_DAYS = 14


class Drop(Construct):
    """`bucket`; its notifications are native ones: EventBridge would not say who put the object."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        purpose: str,
        queue: TaskQueue,
        lifecycle: Sequence[s3.LifecycleRule] = (),
    ) -> None:
        super().__init__(scope, id)
        self.bucket = Bucket(self, "Bucket", settings=settings, purpose=purpose, own_key=False, lifecycle=lifecycle)
        self.bucket.objects.add_event_notification(
            s3.EventType.OBJECT_CREATED,
            notifications.SqsDestination(queue.queue),
            s3.NotificationKeyFilter(prefix=INCOMING),
        )


def working() -> s3.LifecycleRule:
    """What a consumer kept goes when no message can ask for it any more."""
    days = cdk.Duration.days(_WORKING_DAYS)
    return s3.LifecycleRule(id="working", prefix=WORKING, expiration=days, noncurrent_version_expiration=days)
