"""A bucket read by obstore: one request an object at a tenth of boto3's CPU, without holding the interpreter.

For the sidecar and the node's cache, whose environment has it; what is written goes through boto3 as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import obstore
from obstore.store import S3Store as Objects

from tapedeck.market.store import S3Store

if TYPE_CHECKING:  # a name of its stubs
    from obstore.store import S3Credential

_KEEP = timedelta(minutes=5)  # botocore renews credentials ten minutes before their end or earlier


class S3Reads(S3Store):
    """As `S3Store`; `credentials` are botocore's, which renew themselves, times in seconds."""

    def __init__(
        self, client: Any, bucket: str, credentials: Any, *, timeout_s: float, tries: int
    ) -> None:  # neither boto3's clients nor botocore's credentials have a type at run time
        super().__init__(client, bucket)
        endpoint = str(client.meta.endpoint_url)
        self._objects = Objects(
            bucket,
            endpoint=endpoint,
            region=client.meta.region_name,
            credential_provider=_provider(credentials),
            client_options={
                "allow_http": endpoint.startswith("http://"),
                "connect_timeout": "5s",
                "timeout": timedelta(seconds=timeout_s),
            },
            retry_config={"max_retries": tries - 1, "retry_timeout": timedelta(seconds=timeout_s * tries)},
        )

    def get(self, key: str, version: str | None = None) -> bytes:
        """Return the bytes. Raises KeyError when there is no such object or version."""
        try:
            answer = obstore.get(self._objects, key, options={"version": version} if version is not None else None)
            return bytes(answer.bytes())
        except FileNotFoundError:
            raise KeyError(key) from None


def _provider(credentials: Any) -> Callable[[], S3Credential]:
    def current() -> S3Credential:
        now = credentials.get_frozen_credentials()
        return {
            "access_key_id": now.access_key,
            "secret_access_key": now.secret_key,
            "token": now.token,
            "expires_at": datetime.now(UTC) + _KEEP,
        }

    return current
