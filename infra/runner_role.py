"""The role behind a sidecar's credentials: the widest a session may be; its own policy narrows it to one attempt."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.foundation import Foundation
from infra.permissions import allow, list_keys, read, write
from infra.platform_function import PlatformFunction
from infra.settings import Settings


class RunnerRole(Construct):
    """`role`, assumed by the credentials function and by nobody else."""

    def __init__(
        self, scope: Construct, id: str, *, settings: Settings, foundation: Foundation, issuer: PlatformFunction
    ) -> None:
        super().__init__(scope, id)
        self.role = iam.Role(
            self,
            "Role",
            role_name=f"{settings.prefix}-runner-{settings.region}",
            assumed_by=iam.ArnPrincipal(issuer.role.role_arn),
            max_session_duration=cdk.Duration.hours(1),
        )
        may = [
            *read(foundation.market, "*", versions=True),
            *list_keys(foundation.market),
            *read(foundation.runs, "runs/*", "code/*"),
            *write(foundation.runs, "runs/*"),
            *list_keys(foundation.runs),
        ]
        for statement in may:
            self.role.add_to_policy(statement)
        issuer.role.add_to_policy(allow(["sts:AssumeRole"], [self.role.role_arn]))
        issuer.function.add_environment("RUNNER_ROLE_ARN", self.role.role_arn)
