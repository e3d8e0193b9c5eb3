"""AWS clients, one a service and process; region and endpoint are the environment's, as boto3 reads them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

# SigV4 presigned links in path style work on every endpoint, S3's own included.
_CONFIG = Config(
    connect_timeout=3, read_timeout=15, retries={"mode": "standard", "max_attempts": 4}, signature_version="v4"
)
_S3 = _CONFIG.merge(Config(signature_version="s3v4", s3={"addressing_style": "path"}))


@cache
def s3() -> S3Client:
    """Return the process's S3 client."""
    return boto3.client("s3", config=_S3)


@cache
def sqs() -> SQSClient:
    """Return the process's SQS client."""
    return boto3.client("sqs", config=_CONFIG)


@cache
def sts() -> STSClient:
    """Return the process's STS client."""
    return boto3.client("sts", config=_CONFIG)


@cache
def secrets_manager() -> SecretsManagerClient:
    """Return the process's Secrets Manager client."""
    return boto3.client("secretsmanager", config=_CONFIG)
