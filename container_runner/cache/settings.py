"""What the daemon is told: read once from its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where the daemon reads, keeps and listens; `quota` is in bytes, None: the size of the folder's disk."""

    market_bucket: str
    region: str | None
    folder: Path
    quota: int | None
    host: str
    port: int

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Return the settings; raises `KeyError` or `ValueError` when the manifest that started us is wrong."""
        host, _, port = environ["CACHE_LISTEN"].rpartition(":")
        quota = environ.get("CACHE_BYTES")
        return cls(
            market_bucket=environ["MARKET_BUCKET"],
            region=environ.get("AWS_REGION"),
            folder=Path(environ["CACHE_DIR"]),
            quota=int(quota) if quota else None,
            host=host,
            port=int(port),
        )
