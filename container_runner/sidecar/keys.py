"""Keys of the runs bucket that a sidecar touches.

`backtest.layout` states every key of the platform; the sidecar's image does not hold it, so a test keeps the two equal.
"""

from __future__ import annotations


def run_manifest(job: str) -> str:
    """Return the key of a job's run manifest."""
    return f"runs/{job}/run.json"


def event(job: str, attempt: int, seq: int) -> str:
    """Return the key of an attempt's event."""
    return f"runs/{job}/{attempt}/events/{seq:08}.json"


def log(job: str, attempt: int, seq: int) -> str:
    """Return the key of an attempt's log part."""
    return f"runs/{job}/{attempt}/logs/{seq:08}.jsonl"


def artifact(job: str, attempt: int, name: str) -> str:
    """Return the key of an artifact."""
    return f"runs/{job}/{attempt}/artifacts/{name}"


def result(job: str, attempt: int) -> str:
    """Return the key of the result."""
    return f"runs/{job}/{attempt}/result.json"
