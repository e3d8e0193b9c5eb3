"""A bucket as every bucket here is: private, versioned, encrypted, over TLS only."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra import retention
from infra.settings import Settings


class Bucket(Construct):
    """`objects` is the bucket; `key` guards it, or S3's own does (for people who hold none of our keys)."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        purpose: str,
        own_key: bool,
        events: bool = False,
        lifecycle: Sequence[s3.LifecycleRule] = (),
    ) -> None:
        super().__init__(scope, id)
        self.key: kms.Key | None = None
        if own_key:
            self.key = kms.Key(
                self,
                "Key",
                description=f"{settings.prefix} {purpose} bucket",
                alias=f"{settings.prefix}/{purpose}",
                enable_key_rotation=True,
                removal_policy=retention.of_data(settings),
            )
        abandoned = s3.LifecycleRule(abort_incomplete_multipart_upload_after=cdk.Duration.days(2))
        self.objects = s3.Bucket(
            self,
            "Objects",
            bucket_name=settings.bucket_name(purpose, cdk.Aws.ACCOUNT_ID),
            encryption=s3.BucketEncryption.KMS if own_key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=self.key,
            bucket_key_enabled=True if own_key else None,
            versioned=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            event_bridge_enabled=events or None,
            lifecycle_rules=[abandoned, *lifecycle],
            removal_policy=retention.of_data(settings),
        )
