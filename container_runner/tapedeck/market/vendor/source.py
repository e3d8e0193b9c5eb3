"""Where a drop's bytes come from: streams that count what they give, so that nothing unpacks without an end."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

HEAD = 4096  # bytes that tell a file's format


class TooLargeError(Exception):
    """The drop unpacks to more than is taken."""


class Room:
    """How many bytes may still be unpacked, all members of a drop together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._left = limit

    def take(self, count: int) -> None:
        """Count bytes. Raises TooLargeError past the limit."""
        self._left -= count
        if self._left < 0:
            raise TooLargeError(f"unpacks to more than {self.limit:,} bytes: drop it in parts")


class _Metered(io.RawIOBase):
    def __init__(self, file: BinaryIO, room: Room) -> None:
        self._file = file
        self._room = room

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        body = self._file.read(len(view))
        self._room.take(len(body))
        view[: len(body)] = body
        return len(body)


def metered(file: BinaryIO, room: Room) -> io.BufferedReader:
    """Return the rest of a stream as one that takes what it gives out of `room`."""
    return io.BufferedReader(_Metered(file, room), 1 << 16)


def head(file: io.BufferedReader) -> bytes:
    """Return the stream's next bytes without taking them."""
    return file.peek(HEAD)[:HEAD]
