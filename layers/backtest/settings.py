"""The environment of a function, read once at its entry into one frozen object."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

from backtest.errors import PlatformError


@dataclass(frozen=True)
class Settings:
    """What a deployment tells a function; a function's environment holds only what it needs, the rest is empty."""

    aws_region: str = "us-east-1"
    db_secret_arn: str = ""  # Secrets Manager JSON: host, port, dbname, username, password
    runs_bucket: str = ""
    market_bucket: str = ""
    upload_bucket: str = ""
    vendor_bucket: str = ""
    vendor_queue_url: str = ""
    tasks_queue_url: str = ""
    dead_letter_queue_url: str = ""
    cluster_name: str = ""
    cluster_endpoint: str = ""  # https URL
    cluster_ca: str = ""  # base64 of PEM
    cluster_namespace: str = ""
    sidecar_image: str = ""
    strategy_image: str = ""
    credentials_url: str = ""
    runner_role_arn: str = ""
    operator_role_arn: str = ""

    @classmethod
    def read(cls, *needed: str, environ: Mapping[str, str] = os.environ) -> Settings:
        """Return the settings; raises `PlatformError` naming those of `needed` (field names) that are not set."""
        values = {f.name: environ[f.name.upper()] for f in fields(cls) if f.name.upper() in environ}
        missing = [name.upper() for name in needed if not values.get(name)]
        if missing:
            raise PlatformError(f"not set in the environment: {', '.join(missing)}")
        return cls(**values)
