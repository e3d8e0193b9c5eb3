"""A data owner's files into the platform's vendor bucket, and the answers that come back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

POLL_SECONDS = 1.0
MAX_BYTES = 5 * 2**30  # of one PUT, S3's


class NoAnswerError(Exception):
    """The platform has not answered in time; it may yet: the answer's key is in the message."""


def put(client: Any, bucket: str, key: str, path: Path) -> str | None:
    """Put a file, streamed; return the version that it became. Raises ValueError for one larger than S3 takes."""
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ValueError(f"{path} has {size:,} bytes, S3 takes {MAX_BYTES:,} at once: pack it (.csv.zst) or cut it")
    with path.open("rb") as body:
        version = client.put_object(Bucket=bucket, Key=key, Body=body).get("VersionId")
    return None if version == "null" else version


def answer(
    client: Any,
    bucket: str,
    key: str,
    version: str | None,
    seconds: float,
    *,
    hear: Callable[[dict[str, Any]], None] = lambda _: None,
) -> dict[str, Any]:
    """Return the answer to the version of a drop (`backtest.ingest.report.Report`).

    A large drop says from time to time how far it is, which `hear` is told. Raises NoAnswerError when nothing was heard
    for so many seconds.
    """
    deadline, status, heard = time.monotonic() + seconds, f"status/{key}.json", ""
    while time.monotonic() < deadline:
        try:
            told: dict[str, Any] = json.loads(client.get_object(Bucket=bucket, Key=status)["Body"].read())
        except client.exceptions.ClientError as error:
            if error.response.get("Error", {}).get("Code") not in ("NoSuchKey", "404"):
                raise
        else:
            if version is None or told["version"] == version:
                if told["status"] != "UNDER_WAY":
                    return told
                if told["at"] != heard:
                    deadline, heard = time.monotonic() + seconds, told["at"]
                    hear(told)
        time.sleep(POLL_SECONDS)
    raise NoAnswerError(f"no answer at s3://{bucket}/{status} after {seconds:g} s without news; it may yet come")
