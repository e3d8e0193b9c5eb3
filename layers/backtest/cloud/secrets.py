"""Secrets: JSON objects in Secrets Manager."""

from __future__ import annotations

import json

from botocore.exceptions import BotoCoreError, ClientError

from backtest.cloud import clients
from backtest.errors import PlatformError


def read_secret(arn: str) -> dict[str, str | int]:
    """Return a secret's JSON object; raises `PlatformError` when it cannot be read."""
    try:
        answer = clients.secrets_manager().get_secret_value(SecretId=arn)
        secret: dict[str, str | int] = json.loads(answer["SecretString"])
    except (BotoCoreError, ClientError, ValueError) as e:
        raise PlatformError(f"the secret {arn} cannot be read: {e}") from e
    return secret
