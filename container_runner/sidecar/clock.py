"""Wall-clock time as events and logs carry it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """Return the time as ISO 8601, UTC, microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
