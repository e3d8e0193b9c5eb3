"""How long a drop may take: part of a function's time is for reading it, most of the rest for publishing it."""

from __future__ import annotations

from time import monotonic

from tapedeck.market.store import ObjectStore

READING, ALL = 0.55, 0.9  # of the time that is left when the drop comes


class TooLateError(Exception):
    """The time is up before everything is written; nothing is published."""


class Timed:
    """A store that takes nothing any more from a moment on (of `time.monotonic`)."""

    def __init__(self, store: ObjectStore, until: float) -> None:
        self._store, self._until = store, until

    def get(self, key: str, version: str | None = None) -> bytes:
        """Return an object's bytes. Raises KeyError."""
        return self._store.get(key, version)

    def put(self, key: str, body: bytes, if_absent: bool = False) -> str | None:
        """Store an object. Raises TooLateError; FileExistsError with `if_absent`."""
        self._check()
        return self._store.put(key, body, if_absent)

    def swap(self, key: str, body: bytes, expected: bytes | None) -> bool:
        """Store an object if it holds `expected`. Raises TooLateError."""
        self._check()
        return self._store.swap(key, body, expected)

    def _check(self) -> None:
        if monotonic() > self._until:
            raise TooLateError("the time was up before all of its months were written: drop it in parts")
