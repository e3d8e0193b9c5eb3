"""Messages on a queue."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from backtest.cloud import clients
from backtest.errors import PlatformError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class Queue:
    """One queue that takes JSON objects."""

    def __init__(self, url: str, client: SQSClient | None = None) -> None:
        self.url = url
        self.client = client or clients.sqs()

    def send(self, message: Mapping[str, object]) -> None:
        """Send a message; raises `PlatformError` when it was not taken."""
        try:
            self.client.send_message(QueueUrl=self.url, MessageBody=json.dumps(message))
        except (BotoCoreError, ClientError) as e:
            raise PlatformError(f"{self.url} took no message: {e}") from e
