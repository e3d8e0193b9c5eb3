"""Who calls: the IAM principal that the gateway has verified. Display names are labels and decide nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backtest.errors import CallerError
from backtest.store import Store
from backtest.store.rows import Job


@dataclass(frozen=True)
class Caller:
    """A user by the unique principal id (`AROA...:alice`); operators see everybody's jobs."""

    user_id: str
    operator: bool

    def job(self, store: Store, job_id: str) -> Job:
        """Return a job that this caller may see; another's does not exist, as far as the answer tells."""
        job = store.jobs.get(job_id)
        if job is None or not (self.operator or job.user_id == self.user_id):
            raise CallerError(404, "NOT_FOUND", f"there is no backtest {job_id[:64]}")
        return job

    def must_operate(self) -> None:
        """Raise `CallerError` 403 for anybody but an operator."""
        if not self.operator:
            raise CallerError(403, "OPERATORS_ONLY", "operators alone may do this")


def caller_of(identity: Mapping[str, Any], operator_role_arn: str) -> Caller:
    """Return the caller that an API event's `requestContext.identity` names; raises `CallerError` 403 without one."""
    user_id, arn = identity.get("user"), identity.get("userArn")
    if not isinstance(user_id, str) or not isinstance(arn, str) or not user_id:
        raise CallerError(403, "NOT_SIGNED", "the call is signed with AWS credentials (SigV4)")
    return Caller(user_id, operator=_assumed_role(arn) == _role(operator_role_arn))


def _assumed_role(arn: str) -> tuple[str, str] | None:
    """Return (account, role name) of `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`, else None."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "sts" or not parts[5].startswith("assumed-role/"):
        return None
    return parts[4], parts[5].split("/")[1]


def _role(arn: str) -> tuple[str, str]:
    """Return (account, role name) of `arn:aws:iam::ACCOUNT:role[/path]/ROLE`."""
    parts = arn.split(":", 5)
    return parts[4], parts[5].rsplit("/", 1)[-1]
