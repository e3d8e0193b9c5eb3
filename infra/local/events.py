"""Where an object's event goes: by the template's native notifications and EventBridge rules, to queues."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from infra.local.object_events import ObjectEvent
from infra.local.patterns import compiled
from infra.local.s3_messages import announcement, event_bridge_event, notification
from infra.local.wires import BucketNotification, EventRule

Send = Callable[[str, str], None]
"""Puts a body (second) into the queue with an ARN (first)."""


class Router:
    """Sends each event to every queue whose notification or rule wants it; one event, one message a queue and wire."""

    def __init__(self, notifications: Sequence[BucketNotification], rules: Sequence[EventRule], send: Send) -> None:
        self._notifications, self._send = tuple(notifications), send
        self._rules = [(compiled(rule.pattern), rule.queue_arns) for rule in rules]

    def emit(self, event: ObjectEvent) -> None:
        """Deliver one event."""
        for wire in self._notifications:
            if _wants(wire, event):
                self._send(wire.queue_arn, json.dumps(notification(event, wire.queue_arn)))
        wanted = event_bridge_event(event)
        for matches, queues in self._rules:
            if matches(wanted):
                for queue in queues:
                    self._send(queue, json.dumps(wanted))

    def announce(self) -> None:
        """Send what S3 sends when notifications are configured: a test message to each queue, once a deployment."""
        for wire in self._notifications:
            self._send(wire.queue_arn, json.dumps(announcement(wire.bucket)))


def _wants(wire: BucketNotification, event: ObjectEvent) -> bool:
    fits = wire.bucket == event.bucket and event.key.startswith(wire.prefix) and event.key.endswith(wire.suffix)
    return fits and any(_named(name.removeprefix("s3:"), event.name) for name in wire.events)


def _named(wanted: str, name: str) -> bool:
    return name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted
