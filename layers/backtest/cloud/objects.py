"""Objects in a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from backtest.cloud import clients
from backtest.errors import BacktestError, PlatformError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LINK_SECONDS = 900


class MissingObjectError(BacktestError):
    """There is no such object or version."""


class TooLargeError(BacktestError):
    """The object is larger than what it may be; it was not read."""


class Bucket:
    """One bucket; every method raises `PlatformError` when S3 does not do as asked."""

    def __init__(self, name: str, client: S3Client | None = None) -> None:
        self.name = name
        self.client = client or clients.s3()

    def uri(self, key: str) -> str:
        """Return `s3://bucket/key`."""
        return f"s3://{self.name}/{key}"

    def get(self, key: str, *, limit: int, version: str | None = None) -> bytes:
        """Return an object of at most `limit` bytes; raises `MissingObjectError` or `TooLargeError`."""
        which: dict[str, Any] = {"VersionId": version} if version else {}
        try:
            answer = self.client.get_object(Bucket=self.name, Key=key, **which)
            if answer["ContentLength"] > limit:
                answer["Body"].close()
                raise TooLargeError(f"{self.uri(key)} has {answer['ContentLength']} bytes, {limit} are allowed")
            return answer["Body"].read()
        except ClientError as e:
            if e.response.get("Error", {}).get("Code") in ("NoSuchKey", "NoSuchVersion", "404"):
                raise MissingObjectError(self.uri(key)) from e
            raise PlatformError(f"{self.uri(key)} cannot be read: {e}") from e
        except BotoCoreError as e:
            raise PlatformError(f"{self.uri(key)} cannot be read: {e}") from e

    def put(self, key: str, body: bytes, content_type: str = "application/octet-stream") -> None:
        """Write an object."""
        try:
            self.client.put_object(Bucket=self.name, Key=key, Body=body, ContentType=content_type)
        except (BotoCoreError, ClientError) as e:
            raise PlatformError(f"{self.uri(key)} cannot be written: {e}") from e

    def list(self, prefix: str, after: str = "") -> list[str]:
        """Return the keys below `prefix` that sort after `after`, in order."""
        pager = self.client.get_paginator("list_objects_v2")
        pages = pager.paginate(Bucket=self.name, Prefix=prefix, StartAfter=after)
        try:
            return [o["Key"] for page in pages for o in page.get("Contents", [])]
        except (BotoCoreError, ClientError) as e:
            raise PlatformError(f"{self.uri(prefix)} cannot be listed: {e}") from e

    def link(self, key: str, *, version: str | None = None) -> str:
        """Return a URL that reads the object without credentials for the next `LINK_SECONDS` seconds."""
        which = {"Bucket": self.name, "Key": key, **({"VersionId": version} if version else {})}
        return self.client.generate_presigned_url("get_object", Params=which, ExpiresIn=LINK_SECONDS)
