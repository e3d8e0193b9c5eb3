"""A door with buckets and a queue behind it, and a researcher who comes through it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.local.iam import Principal
from tests.component.front_door.stack import OBJECTS, LocalAws, allow, local_aws


@pytest.fixture(scope="module")
def running() -> Iterator[LocalAws]:
    with local_aws() as aws:
        s3 = aws.client("s3")
        for bucket in ("runs", "vendor", "upload"):
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        aws.client("sqs").create_queue(QueueName="tasks")
        yield aws


@pytest.fixture
def aws(running: LocalAws) -> LocalAws:
    running.calls.clear()
    running.events.clear()
    return running


@pytest.fixture
def alice(aws: LocalAws) -> Principal:
    return aws.session(allow(OBJECTS, "arn:aws:s3:::runs/*"), allow("s3:ListBucket", "arn:aws:s3:::runs"))
