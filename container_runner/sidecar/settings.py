"""What the sidecar knows of its attempt: read once from the environment that the Job's manifest gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """One attempt: who it is, what it runs, where it reads and writes."""

    job: str
    attempt: int
    manifest_digest: str  # SHA-256, hex: the only run.json that this attempt may run
    deadline_seconds: int  # what is left of the run's time when the pod starts
    runs_bucket: str
    market_bucket: str
    region: str | None
    sandbox: str | None  # what holds the strategy, as the record shall call it
    cache_url: str | None = None  # the node's cache and its files; None: read from S3
    cache_dir: Path = Path("/nonexistent")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Return the settings; raises `KeyError` or `ValueError` when the manifest that started us is wrong."""
        return cls(
            job=environ["JOB_ID"],
            attempt=int(environ["ATTEMPT"]),
            manifest_digest=environ["MANIFEST_DIGEST"],
            deadline_seconds=int(environ["DEADLINE_SECONDS"]),
            runs_bucket=environ["RUNS_BUCKET"],
            market_bucket=environ["MARKET_BUCKET"],
            region=environ.get("AWS_REGION"),
            sandbox=environ.get("SANDBOX"),
            cache_url=environ.get("CACHE_URL"),
            cache_dir=Path(environ.get("CACHE_DIR", "/nonexistent")),
        )
