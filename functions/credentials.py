"""GET /credentials: a sidecar's service-account token in, one hour of AWS credentials for its attempt out."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from backtest.cloud import clients
from backtest.cloud.cluster import cluster_of
from backtest.credentials import Issuer, KeyRing
from backtest.errors import CallerError, PlatformError
from backtest.settings import Settings
from backtest.store import open_store

logger = Logger()
NEEDED = ("db_secret_arn", "runs_bucket", "market_bucket", "runner_role_arn", "cluster_name", "cluster_endpoint")


@cache
def issuer() -> Issuer:
    """Return what the environment describes; the cluster's keys last as long as the process."""
    s = Settings.read(*NEEDED, "cluster_ca", "cluster_namespace")
    return Issuer(
        store=open_store(s.db_secret_arn),
        keys=KeyRing(cluster_of(s).signing_keys),
        sts=clients.sts(),
        role_arn=s.runner_role_arn,
        namespace=s.cluster_namespace,
        runs_bucket=s.runs_bucket,
        market_bucket=s.market_bucket,
    )


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one call; tokens and keys are never logged."""
    headers = {k.lower(): v for k, v in (event.get("headers") or {}).items()}
    try:
        return _answer(200, issuer().issue(headers.get("authorization", "").removeprefix("Bearer ")))
    except CallerError as e:
        logger.warning("refused", code=e.code, reason=e.message)
        return _answer(e.status, {"code": e.code, "message": e.message})
    except PlatformError:
        logger.exception("platform error")
        return _answer(503, {"code": "UNAVAILABLE", "message": "try again"})


def _answer(status: int, body: dict[str, str]) -> dict[str, Any]:
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}
