"""PostgreSQL: what the platform knows of jobs and snapshots."""

from __future__ import annotations

from dataclasses import dataclass

from backtest.cloud.secrets import read_secret
from backtest.store.connection import Database
from backtest.store.jobs import Jobs
from backtest.store.snapshots import Snapshots


@dataclass(frozen=True)
class Store:
    """All tables, over one connection."""

    jobs: Jobs
    snapshots: Snapshots


def store_of(database: Database) -> Store:
    """Return the tables in `database`."""
    return Store(Jobs(database), Snapshots(database))


def open_store(secret_arn: str) -> Store:
    """Return the tables in the database that a secret points to; connects at first use."""
    return store_of(Database(lambda: read_secret(secret_arn)))
