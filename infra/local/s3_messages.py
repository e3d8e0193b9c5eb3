"""An object's event in the two shapes that S3 sends: the native notification and EventBridge's event."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

from infra.local.object_events import MARKED, ObjectEvent

_REASONS = {
    "ObjectCreated:Put": "PutObject",
    "ObjectCreated:Copy": "CopyObject",
    "ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
}


def notification(event: ObjectEvent, queue_arn: str) -> dict[str, Any]:
    """Return the body of a native notification (record version 2.1); its key is encoded as in a query."""
    thing = {
        "key": quote_plus(event.key, safe="/"),
        "size": event.size,
        "eTag": event.etag,
        "versionId": event.version_id,
        "sequencer": event.sequencer,
    }
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": event.region,
        "eventTime": _instant(event.time, "milliseconds"),
        "eventName": event.name,
        "userIdentity": {"principalId": event.principal_id},
        "requestParameters": {"sourceIPAddress": event.source_ip},
        "responseElements": {
            "x-amz-request-id": event.request_id,
            "x-amz-id-2": hashlib.sha256(event.request_id.encode()).hexdigest(),
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": hashlib.md5(f"{event.bucket} {queue_arn}".encode(), usedforsecurity=False).hexdigest(),
            "bucket": {
                "name": event.bucket,
                "ownerIdentity": {"principalId": event.account},
                "arn": f"arn:aws:s3:::{event.bucket}",
            },
            "object": _known(thing),
        },
    }
    return {"Records": [record]}


def announcement(bucket: str) -> dict[str, Any]:
    """Return what S3 sends to a queue when a notification to it is configured: no records, but a message."""
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": _instant(datetime.now(UTC).timestamp(), "milliseconds"),
        "Bucket": bucket,
        "RequestId": uuid.uuid4().hex[:16].upper(),
        "HostId": uuid.uuid4().hex,
    }


def event_bridge_event(event: ObjectEvent) -> dict[str, Any]:
    """Return EventBridge's event; it has the key as it is and, unlike the notification, no principal."""
    created = event.name.startswith("ObjectCreated:")
    thing = {
        "key": event.key,
        "size": event.size,
        "etag": event.etag,
        "version-id": event.version_id,
        "sequencer": event.sequencer,
    }
    detail = {
        "version": "0",
        "bucket": {"name": event.bucket},
        "object": _known(thing),
        "request-id": event.request_id,
        "requester": event.account,
        "source-ip-address": event.source_ip,
        "reason": _REASONS.get(event.name, "DeleteObject"),
    }
    if not created:
        detail["deletion-type"] = "Delete Marker Created" if event.name == MARKED else "Permanently Deleted"
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Object Created" if created else "Object Deleted",
        "source": "aws.s3",
        "account": event.account,
        "time": _instant(event.time, "seconds"),
        "region": event.region,
        "resources": [f"arn:aws:s3:::{event.bucket}"],
        "detail": detail,
    }


def _known(thing: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in thing.items() if value is not None}


def _instant(seconds: float, precision: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec=precision).replace("+00:00", "Z")
