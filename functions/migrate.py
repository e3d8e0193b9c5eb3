"""Bring the database's schema up to date, once after each deployment."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from backtest.cloud.secrets import read_secret
from backtest.settings import Settings
from backtest.store.migrate import migrate

logger = Logger()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, list[str]]:
    """Apply missing migrations; the event says nothing."""
    settings = Settings.read("db_secret_arn")
    applied = migrate(read_secret(settings.db_secret_arn))
    logger.info("schema is up to date", applied=applied)
    return {"applied": applied}
