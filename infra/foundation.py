"""Foundation: the network and everything that must outlive a deployment."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.bucket import Bucket
from infra.database import Database
from infra.network import Network
from infra.settings import Settings


class Foundation(cdk.Stack):
    """Network, market-data and runs buckets, the tools that nodes install, PostgreSQL."""

    def __init__(self, scope: Construct, id: str, *, env: cdk.Environment, settings: Settings) -> None:
        super().__init__(scope, id, env=env, description="Tapedeck: network, data")
        self.network = Network(self, "Network", settings=settings)
        self.market = Bucket(
            self,
            "Market",
            settings=settings,
            purpose="market",
            own_key=True,  # versions are kept: an old snapshot still reads the old bytes
        )
        self.runs = Bucket(
            self, "Runs", settings=settings, purpose="runs", own_key=True, events=True, lifecycle=_runs(settings)
        )
        self.tools = Bucket(self, "Tools", settings=settings, purpose="tools", own_key=False)
        self.database = Database(self, "Database", settings=settings, network=self.network)
        cdk.CfnOutput(self, "MarketBucket", value=self.market.objects.bucket_name)
        cdk.CfnOutput(self, "RunsBucket", value=self.runs.objects.bucket_name)
        cdk.CfnOutput(self, "ToolsBucket", value=self.tools.objects.bucket_name)


def _runs(settings: Settings) -> list[s3.LifecycleRule]:
    """Runs and their reports go after `run_days`; code stays, for whoever repeats a run."""
    return [
        s3.LifecycleRule(
            id=prefix,
            prefix=f"{prefix}/",
            expiration=cdk.Duration.days(settings.run_days),
            noncurrent_version_expiration=cdk.Duration.days(30),
        )
        for prefix in ("runs", "reports")
    ]
