"""IAM statements, written out: the grants of the CDK open wildcards that no function of ours needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs

from infra.bucket import Bucket
from infra.database import Database

Statements = list[iam.PolicyStatement]


def allow(
    actions: Sequence[str], resources: Sequence[str], conditions: Mapping[str, object] | None = None
) -> iam.PolicyStatement:
    """Return a statement that allows `actions` on `resources`."""
    return iam.PolicyStatement(actions=list(actions), resources=list(resources), conditions=conditions)


def read(bucket: Bucket, *patterns: str, versions: bool = False) -> Statements:
    """Reading the objects that match `patterns`, old versions too where asked, and the key through S3."""
    actions = ["s3:GetObject", "s3:GetObjectVersion"] if versions else ["s3:GetObject"]
    statements = [allow(actions, [bucket.objects.arn_for_objects(p) for p in patterns])]
    return statements + _unlock(bucket.key, "s3", "kms:Decrypt")


def write(bucket: Bucket, *patterns: str) -> Statements:
    """Writing the objects that match `patterns`; a multipart write needs the key both ways."""
    statements = [allow(["s3:PutObject"], [bucket.objects.arn_for_objects(p) for p in patterns])]
    return statements + _unlock(bucket.key, "s3", "kms:Decrypt", "kms:GenerateDataKey")


def list_keys(bucket: Bucket) -> Statements:
    """Listing a bucket; without it a missing object answers 403 where 404 is meant."""
    return [allow(["s3:ListBucket"], [bucket.objects.bucket_arn])]


def log_in(database: Database) -> Statements:
    """Reading the database's secret, and its key through Secrets Manager."""
    statements = [allow(["secretsmanager:GetSecretValue"], [database.secret.secret_arn])]
    return statements + _unlock(database.key, "secretsmanager", "kms:Decrypt")


def send(*queues: sqs.IQueue) -> Statements:
    """Sending to queues."""
    return [allow(["sqs:SendMessage"], [q.queue_arn for q in queues])]


def consume(queue: sqs.IQueue) -> Statements:
    """What Lambda's poller needs to feed a function from a queue."""
    return [allow([f"sqs:{a}" for a in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")], [queue.queue_arn])]


def join_network() -> Statements:
    """A function's network interfaces: an interface that does not exist yet has no ARN to bind these to."""
    actions = ["CreateNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets", "DeleteNetworkInterface"]
    return [allow([f"ec2:{a}" for a in (*actions, "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses")], ["*"])]


def _unlock(key: kms.IKey | None, service: str, *actions: str) -> Statements:
    """Using a key, through one service only."""
    if key is None:
        return []
    through = {"StringEquals": {"kms:ViaService": f"{service}.{cdk.Aws.REGION}.amazonaws.com"}}
    return [allow(actions, [key.key_arn], through)]
