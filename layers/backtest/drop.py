"""A strategy dropped in the upload bucket: the object's version is read, submitted, and answered beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from aws_lambda_powertools import Logger

from backtest import layout
from backtest.cloud.objects import Bucket, MissingObjectError, TooLargeError
from backtest.desk import Desk
from backtest.errors import CallerError
from backtest.run_manifest import digest
from backtest.submit import Submission, submit

logger = Logger(child=True)


@dataclass(frozen=True)
class DroppedObject:
    """One record of an S3 notification: who put which version where; `version` is None in an unversioned bucket."""

    user_id: str
    bucket: str
    key: str
    version: str | None

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> DroppedObject:
        """Return what a notification's record says; its key is URL-encoded, its principal may wear an `AWS:`."""
        s3 = record["s3"]
        return cls(
            user_id=record["userIdentity"]["principalId"].removeprefix("AWS:"),
            bucket=s3["bucket"]["name"],
            key=unquote_plus(s3["object"]["key"]),
            version=s3["object"].get("versionId"),
        )


def submit_drop(dropped: DroppedObject, upload: Bucket, desk: Desk) -> dict[str, Any]:
    """Submit a dropped strategy and write the answer, ACCEPTED or REFUSED, to its status object; return the answer.

    The same version notified twice is the same job. Raises `PlatformError` when it should be tried again.
    """
    token = "s3:" + digest(f"{dropped.bucket}/{dropped.key}/{dropped.version}".encode())
    said: dict[str, Any]
    try:
        body = _read(dropped, upload, desk.policy.source["file_bytes"])
        done = submit(Submission(dropped.user_id, dropped.key.rsplit("/", 1)[-1], body, {}, token), desk)
        said = {"status": "ACCEPTED", "job_id": done.job.id}
    except CallerError as e:
        said = {"status": "REFUSED", **e.body()}
    answer = {**said, "key": dropped.key, "version": dropped.version}
    upload.put(layout.upload_status(dropped.key), json.dumps(answer).encode(), "application/json")
    logger.info("dropped", user_id=dropped.user_id, key=dropped.key, said=said)
    return answer


def _read(dropped: DroppedObject, upload: Bucket, limit: int) -> bytes:
    try:
        return upload.get(dropped.key, limit=limit, version=dropped.version)
    except MissingObjectError as e:
        raise CallerError(404, "GONE", "the object was removed before it could be read") from e
    except TooLargeError as e:
        raise CallerError(413, "TOO_LARGE", f"a submission has at most {limit:,} bytes") from e
