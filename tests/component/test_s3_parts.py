"""An object that comes in parts is stored as one, with the rights of an attempt and no more, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from tapedeck.market.ranged import PART
from tapedeck.market.store import S3Store
from tests.component.front_door.stack import LocalAws, allow, local_aws

OWN = "runs/job/1/artifacts/trades.csv"


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as door:
        s3 = door.client("s3")
        s3.create_bucket(Bucket="runs")
        s3.put_bucket_versioning(Bucket="runs", VersioningConfiguration={"Status": "Enabled"})
        yield door


@pytest.fixture
def attempt(aws: LocalAws) -> S3Store:
    who = aws.session(allow("s3:PutObject", "arn:aws:s3:::runs/runs/job/1/*"), role="Runner")
    return S3Store(aws.client("s3", who), "runs")


def read(aws: LocalAws, key: str) -> bytes:
    body: bytes = aws.client("s3").get_object(Bucket="runs", Key=key)["Body"].read()
    return body


@pytest.mark.parametrize("size", [0, 1, 1000, PART - 1, PART, PART + 1, 2 * PART + 5])
def test_parts_of_any_size_become_one_object(aws: LocalAws, attempt: S3Store, size: int) -> None:
    body = bytes(i % 251 for i in range(1000)) * (size // 1000 + 1)
    whole = body[:size]
    aws.calls.clear()
    attempt.put_parts(OWN, (whole[i : i + 700_001] for i in range(0, size, 700_001)))
    assert read(aws, OWN) == whole
    assert {call.action for call in aws.calls} == {"s3:PutObject", "s3:GetObject"}


def test_what_breaks_off_leaves_no_object(aws: LocalAws, attempt: S3Store) -> None:
    def broken() -> Iterator[bytes]:
        yield bytes(PART)
        yield bytes(PART)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        attempt.put_parts("runs/job/1/artifacts/broken.csv", broken())
    with pytest.raises(ClientError):
        read(aws, "runs/job/1/artifacts/broken.csv")


def test_an_attempt_writes_no_parts_of_anothers(attempt: S3Store) -> None:
    for size in (10, PART + 10):
        with pytest.raises(Exception, match="AccessDenied"):
            attempt.put_parts("runs/job/2/artifacts/trades.csv", [bytes(size)])
