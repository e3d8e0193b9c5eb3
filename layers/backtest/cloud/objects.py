"""Objects in a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from backtest.cloud import clients
from backtest.errors import BacktestError, PlatformError

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

LINK_SECONDS = 900
PART_BYTES = 1024 * 1024


class MissingObjectError(BacktestError):
    """There is no such object or version."""


class TooLargeError(BacktestError):
    """The object is larger than what it may be; it was not read."""


@dataclass(frozen=True)
class Opened:
    """An object that is being read: `etag` names these very bytes, `parts` yields them, `PART_BYTES` at a time."""

    etag: str
    parts: Iterator[bytes]


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
        except (BotoCoreError, ClientError) as e:
            raise self._unread(key, e) from e

    def open(self, key: str) -> Opened:
        """Begin to read an object of any size; raises `MissingObjectError`. Its parts raise `PlatformError`."""
        try:
            answer = self.client.get_object(Bucket=self.name, Key=key)
        except (BotoCoreError, ClientError) as e:
            raise self._unread(key, e) from e
        return Opened(answer["ETag"], self._parts(key, answer["Body"]))

    def _parts(self, key: str, body: StreamingBody) -> Iterator[bytes]:
        try:
            yield from body.iter_chunks(PART_BYTES)
        except BotoCoreError as e:
            raise self._unread(key, e) from e
        finally:
            body.close()

    def _unread(self, key: str, error: BotoCoreError | ClientError) -> BacktestError:
        said = error.response.get("Error", {}) if isinstance(error, ClientError) else {}
        if said.get("Code") in ("NoSuchKey", "NoSuchVersion", "404"):
            return MissingObjectError(self.uri(key))
        return PlatformError(f"{self.uri(key)} cannot be read: {error}")

    def copy(self, key: str, etag: str, to: str, content_type: str) -> None:
        """Copy an object of at most 5 GiB within S3, if its bytes are still those that `etag` names."""
        try:
            self.client.copy_object(
                Bucket=self.name,
                Key=to,
                CopySource={"Bucket": self.name, "Key": key},
                CopySourceIfMatch=etag,
                ContentType=content_type,
                MetadataDirective="REPLACE",  # else the copy has the source's type
            )
        except (BotoCoreError, ClientError) as e:
            raise PlatformError(f"{self.uri(key)} cannot be copied to {to}: {e}") from e

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
