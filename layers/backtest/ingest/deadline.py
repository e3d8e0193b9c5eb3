"""How long a call has for a drop: past part of the function's time it goes on in another call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from tapedeck.market.pause import always
from tapedeck.market.store import ObjectStore

# Of the time that is left when the drop comes: past the first the call begins nothing more and keeps what it has, which
# a call's rows need up to a minute for; past the second what it is still at is refused, with time to say so.
GO_ON, ALL = 0.65, 0.9


@dataclass(frozen=True)
class Time:
    """What a call has: whether to go on, and when (of `time.monotonic`) all must be over; None: never."""

    go_on: Callable[[], bool] = always
    until: float | None = None

    @classmethod
    def of(cls, left_s: float | None) -> Time:
        """Return what there is of so many seconds that a function has left; None: no limit."""
        if left_s is None:
            return cls()
        now = monotonic()
        pause, until = now + GO_ON * left_s, now + ALL * left_s
        return cls(lambda: monotonic() < pause, until)


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
