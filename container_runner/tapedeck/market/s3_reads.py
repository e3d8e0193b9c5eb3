"""A bucket read by obstore: one request an object at a tenth of boto3's CPU, without holding the interpreter.

For the sidecar and the node's cache, whose environment has it; what is written goes through boto3 as ever.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import GenericError
from obstore.store import S3Store as Objects

from tapedeck.market.errors import StoreError
from tapedeck.market.store import S3Store

if TYPE_CHECKING:  # names of its stubs
    from obstore import GetOptions
    from obstore.store import S3Credential

_PAUSE_S, _PAUSE_MOST_S = 0.05, 5.0
_KEEP = timedelta(minutes=5)  # botocore renews credentials ten minutes before their end or earlier


class S3Reads(S3Store):
    """As `S3Store`; `credentials` are botocore's, which renew themselves, times in seconds.

    A request that is throttled, reset, answered with an error of S3's own, with less than was promised or not in
    `timeout_s` is made again, `tries` times altogether, each time after a longer pause; then it is a StoreError.
    """

    def __init__(
        self, client: Any, bucket: str, credentials: Any, *, timeout_s: float, tries: int
    ) -> None:  # neither boto3's clients nor botocore's credentials have a type at run time
        super().__init__(client, bucket)
        endpoint = str(client.meta.endpoint_url)
        self._tries = tries
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
            retry_config={"max_retries": 0},  # the tries are counted here, bodies that break off included
        )

    def get(self, key: str, version: str | None = None) -> bytes:
        """Return the bytes. Raises KeyError when there is no such object or version, StoreError after the last try."""
        options: GetOptions | None = {"version": version} if version is not None else None
        for attempt in range(1, self._tries + 1):
            try:
                return bytes(obstore.get(self._objects, key, options=options).bytes())
            except FileNotFoundError:
                raise KeyError(key) from None
            except GenericError as error:  # S3's 5xx and 429, connections, times: what may pass
                if attempt == self._tries:
                    raise StoreError(f"S3 did not give {key} in {attempt} tries: {_short(error)}") from error
                time.sleep(_pause(attempt))
        raise AssertionError


def _pause(attempt: int) -> float:
    """Return how many seconds to wait after a try: full jitter, so that those who were throttled come apart."""
    return random.uniform(0, min(_PAUSE_MOST_S, _PAUSE_S * 2**attempt))  # noqa: S311 - no secret


def _short(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:300]


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
