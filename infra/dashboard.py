"""The dashboard: is it fast, is it stuck, does it fail."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.control import Control
from infra.foundation import Foundation
from infra.platform_function import METRICS_NAMESPACE
from infra.settings import Settings

_MINUTE = cdk.Duration.minutes(1)
_FAILURES = ("CODE", "OUT_OF_MEMORY", "TIMEOUT", "DATA", "LIMIT", "TAMPERED", "SPOT_LOST", "PLATFORM")


class Dashboard(Construct):
    """Runs first, then queues, then functions, then the database."""

    def __init__(
        self, scope: Construct, id: str, *, settings: Settings, foundation: Foundation, control: Control
    ) -> None:
        super().__init__(scope, id)
        board = cloudwatch.Dashboard(self, "Board", dashboard_name=settings.prefix)
        queues, functions = control.queues, control.functions
        board.add_widgets(
            _graph("Time to start (s)", [_run("TimeToStartSeconds", s) for s in ("p50", "p95", "Maximum")]),
            _graph("Duration (s)", [_run("RunSeconds", s) for s in ("p50", "p95", "Maximum")]),
            _graph("Failures by kind", [_failure(kind) for kind in _FAILURES]),
        )
        board.add_widgets(
            _graph(
                "Waiting",
                [q.queue.metric_approximate_number_of_messages_visible(period=_MINUTE, label=q.name) for q in queues],
            ),
            _graph(
                "Oldest message (s)",
                [q.queue.metric_approximate_age_of_oldest_message(period=_MINUTE, label=q.name) for q in queues],
            ),
            _graph(
                "Dead letters",
                [
                    q.dead_letters.metric_approximate_number_of_messages_visible(period=_MINUTE, label=q.name)
                    for q in queues
                ],
            ),
        )
        board.add_widgets(
            _graph("Function errors", [f.function.metric_errors(period=_MINUTE, label=f.name) for f in functions]),
            _graph(
                "Function time (ms)",
                [f.function.metric_duration(period=_MINUTE, statistic="p95", label=f.name) for f in functions],
            ),
            _graph("Database CPU (%)", [foundation.database.instance.metric_cpu_utilization(period=_MINUTE)]),
        )


def _run(name: str, statistic: str) -> cloudwatch.Metric:
    """A measure of runs, as `record` publishes it."""
    return cloudwatch.Metric(
        namespace=METRICS_NAMESPACE,
        metric_name=name,
        dimensions_map={"service": "record"},
        statistic=statistic,
        label=statistic,
        period=_MINUTE,
    )


def _failure(kind: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=METRICS_NAMESPACE,
        metric_name="RunsFailed",
        dimensions_map={"service": "record", "kind": kind},
        statistic="Sum",
        label=kind,
        period=_MINUTE,
    )


def _graph(title: str, metrics: list[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=metrics, width=8, height=6)
