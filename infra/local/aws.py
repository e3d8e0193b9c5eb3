"""The process of the local AWS: moto behind the front door, S3 events routed to queues, calls recorded.

Started as `python -m infra.local.aws CONFIG.json`; says {"ready": true, "port": N} on stdout. Then each line of JSON on
stdin replaces the routes of S3 events (see `routes`) and is answered. It ends when stdin does: with its stack.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sqs.models import sqs_backends

from infra.local.events import Router
from infra.local.front_door import FrontDoor
from infra.local.iam import Identities
from infra.local.object_events import ObjectEvent
from infra.local.record import Record
from infra.local.serving import serving
from infra.local.wires import BucketNotification, EventRule

_THREADS = 48
"""Long polls hold a thread each."""


def send(queue_arn: str, body: str) -> None:
    """Put a message on a queue of this process, as the service that routes S3 events does."""
    region, account, name = queue_arn.split(":")[3:]
    sqs_backends[account][region].send_message(name, body)


def routes(configuration: Mapping[str, Any]) -> Router:
    """Make a router of {"notifications": [...], "rules": [...]}, each a record of `infra.local.wires`."""
    notifications = [BucketNotification(**wire) for wire in configuration["notifications"]]
    return Router(notifications, [EventRule(**wire) for wire in configuration["rules"]], send)


class Events:
    """Hands the front door's events to the newest router."""

    def __init__(self) -> None:
        self.router = Router([], [], send)

    def __call__(self, event: ObjectEvent) -> None:
        """Route one event."""
        self.router.emit(event)


def main(configuration: Path) -> None:
    """Serve until stdin ends."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    settings = json.loads(configuration.read_text())
    events = Events()
    door = FrontDoor(
        DomainDispatcherApplication(create_backend_app),
        Identities(Path(settings["identities"])),
        Record(Path(settings["calls"])),
        events,
        region=settings["region"],
        account=settings["account"],
    )
    with serving(door, port=settings["port"], threads=_THREADS) as port:
        print(json.dumps({"ready": True, "port": port}), flush=True)
        for line in sys.stdin:
            events.router = routes(json.loads(line))
            events.router.announce()
            print(json.dumps({"routed": True}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
