"""Event source mappings: takes messages from queues, hands batches to functions, deletes what succeeded.

As on AWS the queue is read with the function's own role. A message that failed stays invisible until the queue's
visibility timeout is over, and comes again; after its last time the queue's redrive policy moves it away.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.wires import QueueMapping
from infra.local.workers import FunctionError

log = logging.getLogger(__name__)

Invoke = Callable[[str, object], Any]
_LONG_POLL_S = 10
_PAUSE_S = 1.0
"""How long a poller waits after an error of the queue's service."""


class Poller:
    """Serves one mapping with as many threads as it may run functions at once."""

    def __init__(
        self, mapping: QueueMapping, sqs: Any, invoke: Invoke, *, threads: int, long_poll_s: int = _LONG_POLL_S
    ) -> None:
        self._mapping = mapping
        self._long_poll_s = long_poll_s
        self._sqs = sqs
        self._invoke = invoke
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"{mapping.function}-poller-{i}", daemon=True)
            for i in range(threads)
        ]

    def start(self) -> None:
        """Begin to poll."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take no more messages; threads end when their call to the queue returns."""
        self._stopping.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the threads."""
        for thread in self._threads:
            thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                messages = self._receive()
                if messages and not self._stopping.is_set():
                    self._delete(self._handled(messages))
            except (BotoCoreError, ClientError) as error:
                if not self._stopping.is_set():
                    log.warning("%s: %s", self._mapping.queue_arn, error)
                    self._stopping.wait(_PAUSE_S)

    def _receive(self) -> list[dict[str, Any]]:
        """Return a batch: what is there at once, or what comes within the window after the first message."""
        mapping, batch = self._mapping, list[dict[str, Any]]()
        deadline = float("inf")
        while len(batch) < mapping.batch_size and not self._stopping.is_set():
            left = deadline - time.monotonic()
            if batch and left <= 0:
                break
            received = self._sqs.receive_message(
                QueueUrl=mapping.queue_url,
                MaxNumberOfMessages=min(10, mapping.batch_size - len(batch)),
                WaitTimeSeconds=int(min(self._long_poll_s, left)) if batch else self._long_poll_s,
                MessageAttributeNames=["All"],
                AttributeNames=["All"],
            ).get("Messages", [])
            if received and not batch:
                deadline = time.monotonic() + mapping.window_s
            batch += received
            if not received and not batch:
                break
        return batch

    def _handled(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Invoke the function; return the messages that it is done with."""
        try:
            answer = self._invoke(self._mapping.function, {"Records": [self._record(m) for m in messages]})
        except FunctionError as error:
            log.warning("%s", error)
            return []
        if not self._mapping.report_failures:
            return messages
        failed = failures(answer, {message["MessageId"] for message in messages})
        return [message for message in messages if message["MessageId"] not in failed]

    def _record(self, message: Mapping[str, Any]) -> dict[str, Any]:
        arn = self._mapping.queue_arn
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {
                name: {
                    "stringValue": attribute.get("StringValue"),
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": attribute["DataType"],
                }
                for name, attribute in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": arn,
            "awsRegion": arn.split(":")[3],
        }

    def _delete(self, messages: list[dict[str, Any]]) -> None:
        for start in range(0, len(messages), 10):
            entries = [
                {"Id": str(i), "ReceiptHandle": message["ReceiptHandle"]}
                for i, message in enumerate(messages[start : start + 10])
            ]
            self._sqs.delete_message_batch(QueueUrl=self._mapping.queue_url, Entries=entries)


def failures(answer: object, known: Iterable[str]) -> set[str]:
    """Return the ids that a partial batch response names; one that cannot be read fails the whole batch."""
    everything = set(known)
    if answer is None:
        return set()
    if not isinstance(answer, dict):
        return everything
    items = answer.get("batchItemFailures") or []
    named = {item.get("itemIdentifier") if isinstance(item, dict) else None for item in items}
    return {str(name) for name in named} if named <= everything else everything
