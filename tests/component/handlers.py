"""Calls handlers as Lambda does: events in, what they return out."""

from __future__ import annotations

import json
from types import ModuleType, SimpleNamespace
from typing import Any

CONTEXT = SimpleNamespace(
    function_name="f",
    memory_limit_in_mb=512,
    invoked_function_arn="arn",
    aws_request_id="1",
    get_remaining_time_in_millis=lambda: 900_000,
)


def deliver(module: ModuleType, *bodies: object) -> list[str]:
    """Hand a batch of messages to a handler; return the ids of those that it could not work off."""
    records = [
        {
            "messageId": str(i),
            "receiptHandle": "h",
            "body": body if isinstance(body, str) else json.dumps(body),
            "attributes": {},
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:q",
            "awsRegion": "us-east-1",
        }
        for i, body in enumerate(bodies)
    ]
    answer: dict[str, Any] = module.handler({"Records": records}, CONTEXT)
    return [f["itemIdentifier"] for f in answer["batchItemFailures"]]


def created(key: str) -> dict[str, Any]:
    """EventBridge's event about a new object."""
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": {"object": {"key": key}}}
