"""Where a drop's bytes come from: streams that count what they give, so that nothing unpacks without an end."""

from __future__ import annotations

import io
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, cast

import pyarrow as pa

if TYPE_CHECKING:
    from typing_extensions import Buffer

HEAD = 4096  # bytes that tell a file's format
_SKIPPED = 1 << 20  # bytes at once


class TooLargeError(Exception):
    """The drop unpacks to more than is taken."""


class TooLongError(Exception):
    """The drop takes longer to read than there is time."""


class UnpackError(Exception):
    """The bytes are not what their name says, or are cut short."""


class Room:
    """How many bytes may be read, unpacked, all members of a drop together, and until when (monotonic, s).

    `taken`: how many were.
    """

    def __init__(self, limit: int, until: float | None = None) -> None:
        self.limit = limit
        self.taken = 0
        self._until = until

    def take(self, count: int) -> None:
        """Count bytes. Raises TooLargeError past the limit, TooLongError past the time."""
        self.taken += count
        if self.taken > self.limit:
            raise TooLargeError(f"unpacks to more than {self.limit:,} bytes: drop it in parts")
        if self._until is not None and monotonic() > self._until:
            told = f"the time was up after {self.taken:,} bytes, unpacked"
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
    """What is passed over by seeking is counted too."""

    def __init__(self, file: BinaryIO, room: Room) -> None:
        self._file = file
        self._room = room
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("from the begin only")
        self._file.seek(offset)
        self._pass(offset - self._at)
        return self._at

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        body = self._file.read(len(view))
        self._pass(len(body))
        view[: len(body)] = body
        return len(body)

    def _pass(self, count: int) -> None:
        self._at += count
        self._room.take(count)


def metered(file: BinaryIO, room: Room) -> io.BufferedReader:
    """Return the rest of a stream as one that takes what it gives out of `room`."""
    return io.BufferedReader(_Metered(file, room), 1 << 16)


def skip(file: io.BufferedReader, count: int) -> None:
    """Pass over the stream's next bytes: without reading them, where they lie as they are."""
    if file.seekable():
        file.seek(file.tell() + count)
        return
    while count and (body := file.read(min(count, _SKIPPED))):
        count -= len(body)


def head(file: io.BufferedReader) -> bytes:
    """Return the stream's next bytes without taking them."""
    return file.peek(HEAD)[:HEAD]
