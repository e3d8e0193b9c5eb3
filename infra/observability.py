"""Observability: one dashboard, and alarms that say what to look at."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.alarms import Alarms
from infra.control import Control
from infra.dashboard import Dashboard
from infra.foundation import Foundation
from infra.settings import Settings


class Observability(cdk.Stack):
    """Alarms go to one topic, and from there to the settings' address."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        env: cdk.Environment,
        settings: Settings,
        foundation: Foundation,
        control: Control,
    ) -> None:
        super().__init__(scope, id, env=env, description="Tapedeck: dashboard, alarms")
        self.topic = sns.Topic(
            self, "Alerts", topic_name=f"{settings.prefix}-alerts", enforce_ssl=True, master_key=self._key(settings)
        )
        if settings.alarm_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(settings.alarm_email))
        Alarms(self, "Alarms", settings=settings, foundation=foundation, control=control, topic=self.topic)
        Dashboard(self, "Dashboard", settings=settings, foundation=foundation, control=control)

    def _key(self, settings: Settings) -> kms.Key:
        """The topic's key: the service's own would not let CloudWatch publish."""
        key = kms.Key(
            self,
            "Key",
            description=f"{settings.prefix} alerts",
            enable_key_rotation=True,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        key.grant_encrypt_decrypt(cdk.aws_iam.ServicePrincipal("cloudwatch.amazonaws.com"))
        return key
