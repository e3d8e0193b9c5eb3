"""What the tables hold, as frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Self

import run_objects
from backtest.job import State, Status


@dataclass(frozen=True)
class Job:
    """A row of `backtest_jobs`; what the columns mean stands in `schema.sql`. Times are aware, in UTC."""

    id: str
    user_id: str
    status: Status
    code_s3_path: str
    result_s3_path: str | None
    created_at: datetime
    params: dict[str, Any]
    name: str
    client_request_token: str | None
    request_digest: str
    code_digest: str
    manifest_digest: str
    dataset: str
    snapshot: str
    attempt: int
    sequence: int
    crashes: int
    used_seconds: float
    queued_at: datetime
    dispatched_at: datetime | None
    attempt_started_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    progress: dict[str, Any] | None
    failure_kind: str | None
    failure_message: str | None
    failure: dict[str, Any] | None
    result_version: str | None
    result_digest: str | None
    causality: str | None
    metrics: dict[str, Any] | None
    cost_usd: float | None
    report_status: str
    dead_lettered_at: datetime | None
    usage: dict[str, Any] | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return the record of a row."""
        values = {f.name: row[f.name] for f in fields(cls)}
        return cls(**{**values, "id": str(row["id"]), "status": Status(row["status"])})

    @property
    def state(self) -> State:
        """What decides on the next step."""
        return State(self.status, self.attempt, self.sequence, self.crashes)

    @property
    def task(self) -> dict[str, Any]:
        """The task message of the current attempt, as on the queue `backtest_tasks`."""
        return {
            "job_id": self.id,
            "s3_code_path": self.code_s3_path,
            "symbols": self.params["symbols"],
            "start_date": self.params["start"],
            "end_date": self.params["end"],
            "attempt": self.attempt,
        }

    @property
    def result_key(self) -> str:
        """The key of the current attempt's result."""
        return run_objects.result(self.id, self.attempt)


@dataclass(frozen=True)
class Snapshot:
    """A row of `snapshots`: sessions are exchange-local dates, both inclusive."""

    id: str
    dataset: str
    created_at: datetime
    published_at: datetime
    withdrawn_at: datetime | None
    withdrawn_reason: str | None
    symbols: int
    first_session: date
    last_session: date
    name: str | None
    withdrawn_by: str | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return the record of a row."""
        return cls(**{f.name: row[f.name] for f in fields(cls)})
