"""A Lambda function as every function here is: own role and log group, inside the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import retention
from infra.bundle import bundle
from infra.layers import ARCHITECTURE, RUNTIME, Layers
from infra.network import Network
from infra.permissions import allow, join_network
from infra.settings import Settings

METRICS_NAMESPACE = "Tapedeck"


@dataclass(frozen=True)
class Workshop:
    """What all functions of a stack share."""

    settings: Settings
    network: Network
    layers: Layers
    root: Path


class PlatformFunction(Construct):
    """The function `functions/NAME.py`, whose `handler` Lambda calls; `timeout` in seconds, memory and disk in MiB."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        workshop: Workshop,
        name: str,
        timeout: int,
        memory: int,
        environment: Mapping[str, str],
        statements: Sequence[iam.PolicyStatement],
        disk: int = 512,
    ) -> None:
        super().__init__(scope, id)
        settings = workshop.settings
        self.name = name
        self.timeout = timeout
        self.log_name = f"/aws/lambda/{settings.prefix}-{name}"
        log = logs.LogGroup(
            self,
            "Log",
            log_group_name=self.log_name,
            retention=retention.of_logs(settings),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.role = iam.Role(
            self,
            "Role",
            role_name=f"{settings.prefix}-{name}-{settings.region}",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        writes_log = allow(["logs:CreateLogStream", "logs:PutLogEvents"], [log.log_group_arn])
        for statement in (*statements, *join_network(), writes_log):
            self.role.add_to_policy(statement)
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=f"{settings.prefix}-{name}",
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            handler=f"functions.{name}.handler",
            code=bundle(workshop.root / "functions", {"functions": workshop.root / "functions"}),
            layers=list(workshop.layers.versions),
            role=self.role,
            log_group=log,
            timeout=cdk.Duration.seconds(timeout),
            memory_size=memory,
            ephemeral_storage_size=cdk.Size.mebibytes(disk),
            tracing=lambda_.Tracing.ACTIVE,
            vpc=workshop.network.vpc,
            vpc_subnets=workshop.network.functions,
            security_groups=[workshop.network.functions_group],
            environment={
                **environment,
                "POWERTOOLS_SERVICE_NAME": name,
                "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
            },
        )
