"""Bring the database's schema up to date: plain SQL files, applied once each, in order."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlencode

import yoyo

from backtest.store.connection import Secret

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(secret: Secret) -> list[str]:
    """Apply what is missing, under a lock; return the names of the migrations applied."""
    backend = yoyo.get_backend(_address(secret))
    try:
        with backend.lock():
            missing = backend.to_apply(yoyo.read_migrations(str(MIGRATIONS)))
            backend.apply_migrations(missing)
            return [m.id for m in missing]
    finally:
        backend.connection.close()


def _address(secret: Secret) -> str:
    user, password = quote(str(secret["username"]), safe=""), quote(str(secret["password"]), safe="")
    where = urlencode({"host": secret["host"], "port": secret["port"]})  # the host may be a socket's folder
    return f"postgresql://{user}:{password}@/{secret['dbname']}?{where}"
