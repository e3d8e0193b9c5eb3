"""A bucket or secret that a KMS key guards is open to who may use the key through its service, and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local.iam import Principal
from tests.component.front_door.stack import REGION, LocalAws, allow, local_aws

OBJECTS = allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::*")


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


@pytest.fixture(scope="module")
def key(aws: LocalAws) -> str:
    arn = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3 = aws.client("s3")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn}}
    for bucket in ("guarded", "plain"):
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    s3.put_bucket_encryption(Bucket="guarded", ServerSideEncryptionConfiguration={"Rules": [rule]})
    return str(arn)


def through(service: str) -> dict[str, Any]:
    return {"StringEquals": {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}}


def refused(call: Any, **arguments: Any) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        return True
    return False


def rights(aws: LocalAws, who: Principal) -> tuple[bool, bool, bool, bool]:
    """Whether this principal may put and get in the guarded bucket, copy out of it, and get from the plain one."""
    s3 = aws.client("s3", who)
    source = {"Bucket": "guarded", "Key": "k"}
    return (
        not refused(s3.put_object, Bucket="guarded", Key="k", Body=b"1"),
        not refused(s3.get_object, Bucket="guarded", Key="k"),
        not refused(s3.copy_object, Bucket="plain", Key="copy", CopySource=source),
        not refused(s3.get_object, Bucket="plain", Key="k"),
    )


@pytest.mark.parametrize(
    ("actions", "service", "expected"),
    [
        ([], "s3", (False, False, False, True)),
        (["kms:GenerateDataKey"], "s3", (True, False, False, True)),
        (["kms:Decrypt"], "s3", (False, True, True, True)),
        (["kms:Decrypt", "kms:GenerateDataKey"], "secretsmanager", (False, False, False, True)),
    ],
)
def test_objects_need_the_buckets_key(aws: LocalAws, key: str, actions: list[str], service: str, expected: Any):
    unlock = [allow(actions, key, Condition=through(service))] if actions else []
    assert rights(aws, aws.session(OBJECTS, *unlock)) == expected


def test_a_secret_needs_its_key(aws: LocalAws, key: str):
    secret = aws.client("secretsmanager").create_secret(Name="db", SecretString="{}", KmsKeyId=key)["ARN"]
    read = allow("secretsmanager:GetSecretValue", secret)
    unlock = allow("kms:Decrypt", key, Condition=through("secretsmanager"))
    assert refused(aws.client("secretsmanager", aws.session(read)).get_secret_value, SecretId=secret)
    assert not refused(aws.client("secretsmanager", aws.session(read, unlock)).get_secret_value, SecretId=secret)


def test_a_bucket_whose_encryption_changes_asks_for_the_new_key(aws: LocalAws, key: str):
    s3, who = aws.client("s3"), aws.session(OBJECTS)
    s3.create_bucket(Bucket="changing")
    assert not refused(aws.client("s3", who).put_object, Bucket="changing", Key="k", Body=b"1")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket="changing", ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert refused(aws.client("s3", who).put_object, Bucket="changing", Key="k", Body=b"1")
    assert [c.resource for c in aws.calls if c.action == "kms:GenerateDataKey"][-1] == key
