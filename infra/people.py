"""The roles that people assume. A session bears its user's name, so that `aws:userid` says who it is."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.drop import INCOMING, STATUS, Drop
from infra.permissions import allow
from infra.public_api import STAGE
from infra.settings import Settings

_USER = "${aws:userid}"  # AROA...:alice, resolved by IAM at each call


class People(Construct):
    """`researcher`, `data_owner` and `operator`; what they may do is added once the API and the drops exist."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self.researcher = self._role("Researcher", "submits strategies, sees own runs")
        self.data_owner = self._role("DataOwner", "publishes market data")
        self.operator = self._role("Operator", "sees every run, looks after the platform")

    def _role(self, id: str, description: str) -> iam.Role:
        own_name = {"StringEquals": {"sts:RoleSessionName": "${aws:username}"}}
        return iam.Role(
            self,
            id,
            role_name=f"{self._settings.prefix}-{id}-{self._settings.region}",
            description=description,
            assumed_by=iam.PrincipalWithConditions(iam.AccountRootPrincipal(), own_name),
            max_session_duration=cdk.Duration.hours(12),
        )

    def may_call(self, api: apigateway.RestApi) -> None:
        """Researchers and operators call the API; whose run they see is the handler's decision."""
        calls = allow(["execute-api:Invoke"], [api.arn_for_execute_api("*", "/v1/*", STAGE)])
        for role in (self.researcher, self.operator):
            role.add_to_policy(calls)

    def may_drop(self, *, strategies: Drop, vendor_files: Drop) -> None:
        """Each kind of person drops into own bucket, and reads what became of it."""
        upload, vendor = strategies.bucket.objects, vendor_files.bucket.objects
        self.researcher.add_to_policy(allow(["s3:PutObject"], [upload.arn_for_objects(f"{INCOMING}{_USER}/*")]))
        self.researcher.add_to_policy(allow(["s3:GetObject"], [upload.arn_for_objects(f"{STATUS}{INCOMING}{_USER}/*")]))
        self.data_owner.add_to_policy(allow(["s3:PutObject"], [vendor.arn_for_objects(f"{INCOMING}*")]))
        self.data_owner.add_to_policy(allow(["s3:GetObject"], [vendor.arn_for_objects(f"{STATUS}*")]))
        # A status that is not there yet is a 404, not a 403.
        own = {"StringLike": {"s3:prefix": f"{STATUS}{INCOMING}{_USER}/*"}}
        self.researcher.add_to_policy(allow(["s3:ListBucket"], [upload.bucket_arn], own))
        self.data_owner.add_to_policy(allow(["s3:ListBucket"], [vendor.bucket_arn]))

    def may_watch(self) -> None:
        """Operators read metrics, dashboards and alarms, none of which has a narrower resource for reading."""
        actions = ["GetDashboard", "ListDashboards", "DescribeAlarms", "GetMetricData", "ListMetrics"]
        self.operator.add_to_policy(allow([f"cloudwatch:{a}" for a in actions], ["*"]))
