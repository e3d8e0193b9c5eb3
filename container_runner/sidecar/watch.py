"""Waiting for the strategy: until what is expected is there, its process ends, the time is up or we must go."""

from __future__ import annotations

import os
import signal
import threading
import time

import contract
from sidecar.exchange import Exchange, IrregularError
from sidecar.failures import DrainedError, RunError

DRAIN_FOLLOWS_S = 5.0  # how far the strategy's SIGTERM, which comes first, and our own may lie apart


class ProcessEndedError(Exception):
    """The strategy's process ended before it had handed in what was expected; `status` is its wait status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"wait status {status}")
        self.status = status


class VanishedError(Exception):
    """The strategy's container is gone without a word, killed from outside: why, the pod's status says, not we."""


class Watch:
    """What ends a wait. `deadline` is on `time.monotonic`'s clock, `terminated` is set by SIGTERM."""

    def __init__(self, exchange: Exchange, deadline: float, terminated: threading.Event) -> None:
        self._exchange = exchange
        self._deadline = deadline
        self._terminated = terminated

    def take(self, name: str, size: int, what: str, *, record: int = 0, most: int = 0) -> bytes:
        """Return the `size` bytes of `out/name` once it is there, and remove it.

        With `record`, up to `most` records of that many bytes may follow. Raises `RunError` CODE for another size or
        kind of file and TIMEOUT at the deadline; `ProcessEndedError`, `DrainedError`, `VanishedError`.
        """
        pause = contract.POLL_FIRST_S
        while True:
            status = self._exchange.exit_status()  # asked first: what was written before the end counts
            body = self._look(name, size, record, most)
            if body is not None:
                self._exchange.discard(name)
                return body
            if status is not None:
                raise DrainedError if self.drained(status) else ProcessEndedError(status)
            self.check(f"{what} did not come")
            time.sleep(pause)
            pause = min(pause * 1.5, contract.POLL_LAST_S)

    def check(self, what: str = "the run was not done") -> None:
        """Raise, after SIGTERM, what it means for the strategy, and `RunError` TIMEOUT after the deadline."""
        if self._terminated.is_set():
            raise self._end_of_the_pod()
        if time.monotonic() > self._deadline:
            raise RunError("TIMEOUT", f"{what} before the run's time was up")

    def wait_for_end(self, seconds: float) -> int | None:
        """Return the process's wait status, None when it does not end in time or we must go meanwhile."""
        return self._exit(seconds, self._terminated)

    def _exit(self, seconds: float, give_up: threading.Event) -> int | None:
        until = time.monotonic() + seconds
        while (status := self._exchange.exit_status()) is None:
            if time.monotonic() > until or give_up.is_set():
                return self._exchange.exit_status()
            time.sleep(contract.POLL_LAST_S)
        return status

    def _end_of_the_pod(self) -> Exception:
        """Our SIGTERM comes when the strategy's container has ended: `exit.bin` is there, or nobody could write it."""
        left = self._exchange.exit_status() == 0  # of its own will, while we were busy elsewhere
        self._exchange.publish("stop", [b""])  # should it live after all
        status = self._exit(DRAIN_FOLLOWS_S, threading.Event())
        if status is None:
            return VanishedError("the strategy's container is gone without a word")
        return DrainedError() if (status == 0 and not left) or self.drained(status) else ProcessEndedError(status)

    def _look(self, name: str, size: int, record: int, most: int) -> bytes | None:
        expected = f"{size} bytes" + (f" and at most {most} records of {record}" if record else "")
        try:
            body = self._exchange.take(name, size + record * most)
        except IrregularError as error:
            raise RunError("CODE", f"{error}; expected {expected}") from error
        if body is not None and (len(body) < size or (len(body) - size) % record if record else len(body) != size):
            raise RunError("CODE", f"{name} holds {len(body)} bytes, expected {expected}")
        return body

    def drained(self, status: int) -> bool:
        """Say whether SIGTERM ended the process because the pod has to go: then ours comes as well, a little later.

        Ours comes after the launcher has ended. What it wrote last counts: the first word may have been forged.
        """
        if not _by_sigterm(status) or not self._terminated.wait(DRAIN_FOLLOWS_S):
            return False
        last = self._exchange.exit_status()
        return last is not None and _by_sigterm(last)


def _by_sigterm(status: int) -> bool:
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGTERM
