"""What wakes somebody: each alarm's description says what it means and where to look."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.control import Control
from infra.foundation import Foundation
from infra.settings import Settings

_OVER = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
_UNDER = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
_GIB = 2**30


class Alarms(Construct):
    """One alarm a queue, a function and a limit; all go to `topic`."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        foundation: Foundation,
        control: Control,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, id)
        self._prefix = settings.prefix
        self._action = actions.SnsAction(topic)
        self._queues(control)
        self._functions(control)
        self._database(foundation, settings)

    def _queues(self, control: Control) -> None:
        minute = cdk.Duration.minutes(1)
        for queue in control.queues:
            self._alarm(
                f"{queue.name}-dead-letters",
                queue.dead_letters.metric_approximate_number_of_messages_visible(period=minute, statistic="Maximum"),
                0,
                what=f"A message of {queue.name} failed for good: read the function's log, then redrive or purge.",
            )
            self._alarm(
                f"{queue.name}-age",
                queue.queue.metric_approximate_age_of_oldest_message(period=minute, statistic="Maximum"),
                900,
                periods=5,
                what=f"{queue.name} is not worked off: its oldest message waits for more than 15 minutes.",
            )

    def _functions(self, control: Control) -> None:
        five = cdk.Duration.minutes(5)
        for function in control.functions:
            self._alarm(
                f"{function.name}-errors",
                function.function.metric_errors(period=five, statistic="Sum"),
                0,
                what=f"{function.name} failed or ran out of time: {function.log_name}.",
            )
        self._alarm(
            "reconcile-silent",
            control.reconcile.function.metric_invocations(period=five, statistic="Sum"),
            3,
            under=True,
            missing=cloudwatch.TreatMissingData.BREACHING,
            what="reconcile should run every minute and does not: lost runs stay lost.",
        )

    def _database(self, foundation: Foundation, settings: Settings) -> None:
        instance, five = foundation.database.instance, cdk.Duration.minutes(5)
        self._alarm(
            "database-storage",
            instance.metric_free_storage_space(period=five, statistic="Minimum"),
            settings.database_storage_gib * _GIB // 10,
            under=True,
            what="PostgreSQL has less than a tenth of its first disk left.",
        )
        self._alarm(
            "database-cpu",
            instance.metric_cpu_utilization(period=five, statistic="Average"),
            80,
            periods=3,
            what="PostgreSQL is over 80 % CPU for a quarter of an hour.",
        )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        *,
        what: str,
        under: bool = False,
        periods: int = 1,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{self._prefix}-{name}",
            alarm_description=what,
            metric=metric,
            threshold=threshold,
            comparison_operator=_UNDER if under else _OVER,
            evaluation_periods=periods,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(self._action)
