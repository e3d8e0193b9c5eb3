"""What CloudWatch is told of runs: how long they waited, how long they took, why they failed."""

from __future__ import annotations

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from backtest.job import Move
from backtest.store.jobs import Applied

SERVICE = "record"  # one name, whoever found the event: the dashboard looks for it


def measure(applied: Applied) -> None:
    """Publish the measures of a step, as embedded metrics in the log."""
    job, move = applied.job, applied.step.move
    if move is Move.START and job.started_at is not None and job.started_at == job.attempt_started_at:
        _publish("TimeToStartSeconds", (job.started_at - job.created_at).total_seconds())
    if move is Move.COMPLETE and job.started_at is not None and job.finished_at is not None:
        _publish("RunSeconds", (job.finished_at - job.started_at).total_seconds())
    if applied.step.failure is not None:
        _publish("RunsFailed", 1, kind=applied.step.failure.kind)


def _publish(name: str, value: float, **dimensions: str) -> None:
    unit = MetricUnit.Count if name == "RunsFailed" else MetricUnit.Seconds
    with single_metric(name=name, unit=unit, value=value) as metric:
        for key, said in {"service": SERVICE, **dimensions}.items():
            metric.add_dimension(name=key, value=said)
