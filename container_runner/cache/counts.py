"""What the daemon did since it started, counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock


@dataclass
class Counts:
    """How years and months were had, bytes fetched, files that left; `add` may be called from several threads."""

    requests: int = 0
    refused: int = 0  # requests that were not answered
    hits: int = 0  # years that were there
    made: int = 0  # years that were decoded and written
    decoded: int = 0  # objects, months or sealed years, that were there encoded
    fetched: int = 0  # objects that S3 gave
    absent: int = 0  # years that could not be given: gone, late, damaged, no room
    fetched_bytes: int = 0
    failed: int = 0  # years of which S3 did not give a month
    evicted: int = 0  # files that left for others
    corrupt: int = 0  # files and bodies that were not what they should be
    full: int = 0  # files that could not be written
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, **more: int) -> None:
        """Count."""
        with self._lock:
            for name, by in more.items():
                setattr(self, name, getattr(self, name) + by)

    def told(self) -> dict[str, int]:
        """Return the counts by name."""
        with self._lock:
            return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}
