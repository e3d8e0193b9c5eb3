"""PostgreSQL: private, encrypted, backed up; its password is a generated secret that nobody types."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra import retention
from infra.network import Network
from infra.settings import Settings

NAME = "tapedeck"


class Database(Construct):
    """`instance`, its `secret` (JSON: host, port, dbname, username, password) and the `key` of both."""

    secret: secretsmanager.ISecret

    def __init__(self, scope: Construct, id: str, *, settings: Settings, network: Network) -> None:
        super().__init__(scope, id)
        keep = cdk.RemovalPolicy.SNAPSHOT if settings.retain_data else cdk.RemovalPolicy.DESTROY
        self.key = kms.Key(
            self,
            "Key",
            description=f"{settings.prefix} database",
            alias=f"{settings.prefix}/database",
            enable_key_rotation=True,
            removal_policy=retention.of_data(settings),
        )
        engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_18_3)
        self.instance = rds.DatabaseInstance(
            self,
            "Instance",
            engine=engine,
            instance_type=ec2.InstanceType(settings.database_instance),
            vpc=network.vpc,
            vpc_subnets=network.data,
            security_groups=[network.database_group],
            publicly_accessible=False,
            database_name=NAME,
            credentials=rds.Credentials.from_generated_secret(
                NAME, secret_name=f"{settings.prefix}/database", encryption_key=self.key
            ),
            parameters={"rds.force_ssl": "1"},
            storage_encrypted=True,
            storage_encryption_key=self.key,
            allocated_storage=settings.database_storage_gib,
            max_allocated_storage=settings.database_storage_gib * 4,
            storage_type=rds.StorageType.GP3,
            multi_az=settings.database_multi_az,
            backup_retention=cdk.Duration.days(settings.backup_days),
            copy_tags_to_snapshot=True,
            auto_minor_version_upgrade=True,
            cloudwatch_logs_exports=["postgresql"],
            deletion_protection=settings.retain_data,
            removal_policy=keep,
        )
        secret = self.instance.secret
        assert secret is not None  # generated above
        self.secret = secret
