"""Snapshots in PostgreSQL: which exist, which is the newest, which are withdrawn."""

from __future__ import annotations

from datetime import date

from backtest.store.connection import Database
from backtest.store.rows import Snapshot
from backtest.store.sql import queries


class Snapshots:
    """The table `snapshots`. What a snapshot holds lies in the market-data bucket (`tapedeck.market.snapshot`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def publish(self, *, id: str, dataset: str, symbols: int, first_session: date, last_session: date) -> None:
        """Make a snapshot the newest of its dataset; call it after its objects are readable. Idempotent."""
        with self._database.transaction() as c:
            queries().publish_snapshot(
                c, id=id, dataset=dataset, symbols=symbols, first_session=first_session, last_session=last_session
            )

    def withdraw(self, *, id: str, dataset: str, reason: str) -> bool:
        """Withdraw a snapshot: no new run resolves to it. False when there was none to withdraw."""
        with self._database.transaction() as c:
            return bool(queries().withdraw_snapshot(c, id=id, dataset=dataset, reason=reason))

    def get(self, id: str, dataset: str) -> Snapshot | None:
        """Return a snapshot, withdrawn or not, or None."""
        with self._database.transaction() as c:
            row = queries().snapshot(c, id=id, dataset=dataset)
            return Snapshot.of(row) if row else None

    def latest(self, dataset: str) -> Snapshot | None:
        """Return the newest snapshot of a dataset that is not withdrawn, or None."""
        with self._database.transaction() as c:
            row = queries().latest_snapshot(c, dataset=dataset)
            return Snapshot.of(row) if row else None

    def list(self, dataset: str | None = None, count: int = 100) -> list[Snapshot]:
        """Return the newest `count` snapshots, of one dataset or of all, withdrawn ones included."""
        with self._database.transaction() as c:
            return [Snapshot.of(r) for r in queries().list_snapshots(c, dataset=dataset, count=count)]

    def datasets(self) -> tuple[Snapshot, ...]:
        """Return the newest usable snapshot of every dataset, by name."""
        with self._database.transaction() as c:
            return tuple(Snapshot.of(r) for r in queries().datasets(c))
