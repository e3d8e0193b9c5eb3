"""How long things are kept."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_logs as logs

from infra.settings import Settings

_LOG_DAYS = {
    7: logs.RetentionDays.ONE_WEEK,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


def of_data(settings: Settings) -> cdk.RemovalPolicy:
    """Data and the keys that open it outlive their stack unless the settings say otherwise."""
    return cdk.RemovalPolicy.RETAIN if settings.retain_data else cdk.RemovalPolicy.DESTROY


def of_logs(settings: Settings) -> logs.RetentionDays:
    """Return how long logs are kept; raises `ValueError` for a number of days that CloudWatch does not offer."""
    if settings.log_days not in _LOG_DAYS:
        raise ValueError(f"log_days is {settings.log_days}; choose one of {sorted(_LOG_DAYS)}")
    return _LOG_DAYS[settings.log_days]
