"""Log segments: what the strategy prints, cut into bounded files that the sidecar reads and removes.

Nothing here grows with what is printed. At most `LOG_SEGMENTS_WAITING` segments of a stream wait for the sidecar, and
after a burst of as many not more than `LOG_SEGMENTS_A_SECOND` are written: the sidecar keeps less than that, and under
gVisor each file costs more than its bytes. The newest bytes wait for room, and what comes between is counted and thrown
away; a line says so where it is missing.
"""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import contract

FLUSH_AFTER_S = 0.1
_READ_BYTES = 256 * 1024
_DRAIN_BYTES = 4 * 1024 * 1024  # a pipe holds at most 1 MiB; more than this comes from a process that was left behind


class Segments:
    """One stream's segments below `folder`."""

    def __init__(self, folder: Path, stream: str) -> None:
        self._folder = folder
        self._stream = stream
        self._buffer = bytearray()
        self._since = 0.0
        self._waiting: deque[str] = deque()
        self._seq = 0
        self._dropped = 0
        self._allowed = float(contract.LOG_SEGMENTS_WAITING)
        self._counted = time.monotonic()

    def feed(self, data: bytes) -> None:
        """Take some of the stream."""
        if not self._buffer:
            self._since = time.monotonic()
        self._buffer += data
        while len(self._buffer) >= contract.LOG_SEGMENT_BYTES:
            if self._room():
                self._write()
            else:
                over = len(self._buffer) - contract.LOG_SEGMENT_BYTES
                del self._buffer[:over]
                self._dropped += over
                break

    def due(self) -> float | None:
        """Return the seconds until what is buffered should be written, or None when nothing is."""
        return max(0.0, self._since + FLUSH_AFTER_S - time.monotonic()) if self._buffer else None

    def tick(self) -> None:
        """Write what has waited long enough, if there is room."""
        if self.due() == 0.0:
            self._since = time.monotonic()
            if self._room():
                self._write()

    def close(self) -> None:
        """Write the rest: the stream's end may exceed the number of waiting segments by two."""
        while self._buffer and self._write():
            pass

    def _room(self) -> bool:
        now = time.monotonic()
        fresh = (now - self._counted) * contract.LOG_SEGMENTS_A_SECOND
        self._allowed = min(self._allowed + fresh, contract.LOG_SEGMENTS_WAITING)
        self._counted = now
        if self._allowed < 1:
            return False
        while self._waiting and not (self._folder / self._waiting[0]).exists():
            self._waiting.popleft()
        return len(self._waiting) < contract.LOG_SEGMENTS_WAITING

    def _write(self) -> bool:
        """Publish one segment from the buffer's front; what cannot be published is lost and counted."""
        note = f"\n[tapedeck: {self._dropped} bytes of {self._stream} are missing here: printed too fast]\n".encode()
        note = note if self._dropped else b""
        body = bytes(self._buffer[: contract.LOG_SEGMENT_BYTES - len(note)])
        del self._buffer[: len(body)]
        name = contract.log_segment(self._stream, self._seq)
        if not _publish(self._folder, name, note + body):
            self._dropped += len(body)
            return False
        self._dropped = 0
        self._seq += 1
        self._allowed -= 1
        self._waiting.append(name)
        return True


def pump(streams: Mapping[int, Segments], wake: int, ended: Callable[[], bool]) -> None:
    """Move bytes from non-blocking descriptors into segments until `ended` says True, then what the pipes still hold.

    `wake` becomes readable when `ended` should be asked again.
    """
    poller = select.poll()
    for fd in (*streams, wake):
        poller.register(fd, select.POLLIN)
    while not ended():
        waits = [due for segments in streams.values() if (due := segments.due()) is not None]
        for fd, _ in poller.poll(min(waits) * 1000 if waits else None):
            if fd == wake:
                os.read(wake, 4096)
            elif _move(fd, streams[fd]) == 0:
                poller.unregister(fd)
        for segments in streams.values():
            segments.tick()
    for fd, segments in streams.items():
        budget = _DRAIN_BYTES
        while budget > 0 and (moved := _move(fd, segments)):
            budget -= moved
        segments.close()


def _move(fd: int, segments: Segments) -> int | None:
    """Return the bytes moved: 0 at the stream's end, None when there is nothing now."""
    try:
        data = os.read(fd, _READ_BYTES)
    except BlockingIOError:
        return None
    segments.feed(data)
    return len(data)


def _publish(folder: Path, name: str, body: bytes) -> bool:
    """Write a file so that its name appears with all of its bytes; False when the folder is full or in the way."""
    temporary = folder / f"{name}.tmp"
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        try:
            written = os.write(fd, body)
        finally:
            os.close(fd)
        if written == len(body):
            temporary.rename(folder / name)
            return True
    except OSError:
        pass
    with suppress(OSError):
        temporary.unlink()
    return False
