"""Where a drop's bytes come from: streams that count what they give, so that nothing unpacks without an end."""

from __future__ import annotations

import io
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, cast

import pyarrow as pa

if TYPE_CHECKING:
    from typing_extensions import Buffer

HEAD = 4096  # bytes that tell a file's format


class TooLargeError(Exception):
    """The drop unpacks to more than is taken."""


class TooLongError(Exception):
    """The drop takes longer to read than there is time."""


class UnpackError(Exception):
    """The bytes are not what their name says, or are cut short."""


class Room:
    """How many bytes may still be read, unpacked, all members of a drop together, and until when (monotonic, s)."""

    def __init__(self, limit: int, until: float | None = None) -> None:
        self.limit = limit
        self._until = until
        self._taken = 0

    def take(self, count: int) -> None:
        """Count bytes. Raises TooLargeError past the limit, TooLongError past the time."""
        self._taken += count
        if self._taken > self.limit:
            raise TooLargeError(f"unpacks to more than {self.limit:,} bytes: drop it in parts")
        if self._until is not None and monotonic() > self._until:
            told = f"the time was up after {self._taken:,} bytes, unpacked"
            raise TooLongError(f"{told}: drop it in parts smaller than that, each with its own header")


class _Zstandard(io.RawIOBase):
    """What a stream of zstd frames unpacks to."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        try:
            body = self._file.read(len(view))
        except pa.ArrowInvalid as error:
            raise UnpackError(str(error)) from error
        except OSError as error:
            if error.errno:  # the machine's, not the bytes'
                raise
            raise UnpackError(str(error)) from error
        view[: len(body)] = body
        return len(body)


def zstandard(file: BinaryIO) -> BinaryIO:
    """Return what a stream of zstd frames unpacks to; reading raises UnpackError where they are damaged."""
    return cast(BinaryIO, _Zstandard(file))


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
