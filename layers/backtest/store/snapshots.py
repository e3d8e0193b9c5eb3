"""Snapshots in PostgreSQL: which exist, which is the newest, which are withdrawn."""

from __future__ import annotations

from datetime import date, datetime

from psycopg2.errors import UniqueViolation

from backtest.store.connection import Database
from backtest.store.rows import Snapshot
from backtest.store.sql import queries
from tapedeck.market import reference


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

    def withdraw(self, *, id: str, dataset: str, reason: str, by: str | None = None) -> bool:
        """Withdraw a snapshot: no new run resolves to it. False when there was none to withdraw."""
        with self._database.transaction() as c:
            return bool(queries().withdraw_snapshot(c, id=id, dataset=dataset, reason=reason, by=by))

    def name(self, *, id: str, dataset: str, name: str | None) -> bool:
        """Give a snapshot a name, or take it away; False when another of the dataset has it."""
        try:
            with self._database.transaction() as c:
                queries().name_snapshot(c, id=id, dataset=dataset, name=name)
        except UniqueViolation:
            return False
        return True

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

    def as_of(self, dataset: str, at: datetime) -> Snapshot | None:
        """Return what was the newest snapshot of a dataset at a time, of those that are not withdrawn now, or None."""
        with self._database.transaction() as c:
            row = queries().snapshot_as_of(c, dataset=dataset, at=at)
            return Snapshot.of(row) if row else None

    def matching(self, text: str, dataset: str | None = None) -> list[Snapshot]:
        """Return up to 20 snapshots, withdrawn or not, that have this name or whose ids begin so."""
        prefix = text if reference.is_begin(text) else None
        with self._database.transaction() as c:
            found = queries().matching_snapshots(c, dataset=dataset, text=text, prefix=prefix)
            return [Snapshot.of(r) for r in found]

    def list(self, dataset: str | None = None, count: int = 10_000) -> list[Snapshot]:
        """Return the newest `count` snapshots, of one dataset or of all, withdrawn ones included."""
        with self._database.transaction() as c:
            return [Snapshot.of(r) for r in queries().list_snapshots(c, dataset=dataset, count=count)]

    def datasets(self) -> tuple[Snapshot, ...]:
        """Return the newest usable snapshot of every dataset, by name."""
        with self._database.transaction() as c:
            return tuple(Snapshot.of(r) for r in queries().datasets(c))
