"""The object keys that only the control plane knows, and what it reads out of keys and names.

Those that it shares with the sidecar stand in `run_objects`, those of market data in `tapedeck.market.layout`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_EVENT = re.compile(rf"runs/({UUID})/([1-9][0-9]{{0,3}})/events/([0-9]{{8}})\.json")
_RESULT = re.compile(rf"runs/({UUID})/([1-9][0-9]{{0,3}})/result\.json")
_JOB = re.compile(UUID)
_POD = re.compile(rf"bt-({UUID})-([1-9][0-9]{{0,3}})(-[a-z0-9]{{5}})?")


@dataclass(frozen=True)
class EventKey:
    """Job, attempt and sequence number that an event's key names."""

    job: str
    attempt: int
    seq: int


@dataclass(frozen=True)
class AttemptKey:
    """Job and attempt that a key or a pod's name speaks of."""

    job: str
    attempt: int


def code(digest: str, name: str) -> str:
    """Return the key of submitted code, sealed under the SHA-256 (hex) of its bytes."""
    return f"code/{digest}/{name}"


def attempt_prefix(job: str, attempt: int) -> str:
    """Return the prefix that one attempt, and nobody else, may write below."""
    return f"runs/{job}/{attempt}/"


def report(job: str, name: str) -> str:
    """Return the key of a rendered report's file (`report.html`, `report.json`, `equity.csv`, `trades.csv`)."""
    return f"reports/{job}/{name}"


def upload_status(path: str) -> str:
    """Return the key of the answer to a drop of `path`, outside of what its owner can write."""
    return f"status/{path}.json"


def is_job(text: str) -> bool:
    """Say whether a text has the form of a job's id."""
    return _JOB.fullmatch(text) is not None


def parse_event(key: str) -> EventKey | None:
    """Return what an event's key names, or None when the key is no event's."""
    m = _EVENT.fullmatch(key)
    return EventKey(m[1], int(m[2]), int(m[3])) if m else None


def parse_result(key: str) -> AttemptKey | None:
    """Return what a result's key names, or None when the key is no result's."""
    m = _RESULT.fullmatch(key)
    return AttemptKey(m[1], int(m[2])) if m else None


def job_name(job: str, attempt: int) -> str:
    """Return the Kubernetes name of an attempt's Job."""
    return f"bt-{job}-{attempt}"


def parse_pod(name: str) -> AttemptKey | None:
    """Return the attempt that a Job's or pod's name speaks of, or None."""
    m = _POD.fullmatch(name)
    return AttemptKey(m[1], int(m[2])) if m else None
