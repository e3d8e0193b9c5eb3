"""A symbol's decoded months of a year as a file: float64 on the calendar's grid, as a block wants them.

    header    104 bytes: magic, bars, the file's own name, the SHA-256 of the columns' bytes
    sums      a word for each page of 512 bars of each column: the sum of its words modulo 2**64
    CRC-32    of all that
    columns   open high low close volume: float64, little endian, NaN and 0 where nothing traded, each from a 64-byte
              boundary on

The name is a digest of the months' digests and of the calendar (`years.Year.name`), under which a sidecar asks for it.
`read` is for every use: it compares size, header and name, and the sums of the pages that it returns, at memory speed.
Every flipped bit, all damage within one word, a page in another's place and, but for one case in 2**64, any other
damage by chance is found. `check` computes the columns' SHA-256 anew.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapedeck.market import layout
from tapedeck.market.encoding import COLUMNS
from tapedeck.market.errors import EncodingError

Array = NDArray[np.float64]
FIELDS = COLUMNS[1:]
PAGE = 512  # bars: 4 KiB
ALIGN = 64
_MAGIC = b"TDYEAR01"
_HEADER = struct.Struct("<8sQ32s32s")
_CRC = struct.Struct("<I")


def path(name: str) -> str:
    """Return where a file lies below the cache's folder. Raises ValueError when this is no name."""
    if not layout.is_digest(name):
        raise ValueError(f"{name!r} is no digest")
    return f"decoded/{name[:2]}/{name}"


def to_bytes(name: str, fields: Mapping[str, Array]) -> bytes:
    """Return the file of these fields, (n,) each."""
    columns = [np.ascontiguousarray(fields[field], "<f8") for field in FIELDS]
    content = hashlib.sha256()
    for column in columns:
        content.update(column.data)
    head = _HEADER.pack(_MAGIC, len(columns[0]), bytes.fromhex(name), content.digest())
    head += b"".join(_sums(column).astype("<u8").tobytes() for column in columns)
    parts = [head + _CRC.pack(zlib.crc32(head)), *(column.tobytes() for column in columns)]
    return b"".join(part.ljust(_padded(len(part)), b"\0") for part in parts)


def read(file: Path, name: str, bars: int, begin: int, into: Mapping[str, Array]) -> None:
    """Write the bars from number `begin` on of the file's `bars` into arrays (n,), one for each field wanted.

    Raises FileNotFoundError, OSError, and EncodingError when the file is not, whole and unharmed, the one of this name;
    what is in the arrays then is of no use.
    """
    with _opened(file) as handle:
        sums = _head(handle, name, bars)
        for field, out in into.items():
            at = FIELDS.index(field)
            first, last = begin // PAGE, -(-(begin + len(out)) // PAGE)
            low, high = first * PAGE, min(last * PAGE, bars)
            whole = low == begin and high == begin + len(out) and out.flags.c_contiguous
            values = out if whole else np.empty(high - low)
            _fill(handle, values, _start(bars) + at * _padded(bars * 8) + low * 8)
            if not np.array_equal(_sums(values), sums[at, first:last]):
                raise EncodingError(f"the cached {field} is damaged")
            if not whole:
                out[:] = values[begin - low : begin - low + len(out)]


def check(file: Path, name: str) -> None:
    """Raise as `read` does unless the columns have the digest that they had when they were written."""
    with _opened(file) as handle:
        magic, bars, found, content = _HEADER.unpack(_take(handle, _HEADER.size, 0))
        if magic != _MAGIC or found.hex() != name or os.fstat(handle).st_size != _size(bars):
            raise EncodingError("the cached file is another one")
        _head(handle, name, bars)
        digest = hashlib.sha256()
        for at in range(len(FIELDS)):
            values = np.empty(bars)
            _fill(handle, values, _start(bars) + at * _padded(bars * 8))
            digest.update(values.data)
        if digest.digest() != content:
            raise EncodingError("the cached columns do not have their digest")


def _head(handle: int, name: str, bars: int) -> NDArray[np.uint64]:
    """Check header and size; return the pages' sums by column."""
    pages = -(-bars // PAGE)
    size = _HEADER.size + len(FIELDS) * pages * 8
    body = _take(handle, size + _CRC.size, 0)
    head = body[:size]
    magic, found_bars, found, _ = _HEADER.unpack_from(head)
    if magic != _MAGIC or found.hex() != name or found_bars != bars:
        raise EncodingError("the cached file is another one")
    if _CRC.unpack_from(body, size)[0] != zlib.crc32(head):
        raise EncodingError("the cached file's header is damaged")
    if os.fstat(handle).st_size != _size(bars):
        raise EncodingError("the cached file does not have its size")
    return np.frombuffer(head, "<u8", offset=_HEADER.size).reshape(len(FIELDS), pages)


def _sums(values: Array) -> NDArray[np.uint64]:
    words = values.view(np.uint64)
    if not len(words):
        return words
    return np.add.reduceat(words, np.arange(0, len(words), PAGE))


@contextmanager
def _opened(file: Path) -> Iterator[int]:
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO does not hold us up
    try:
        yield handle
    finally:
        os.close(handle)


def _take(handle: int, size: int, offset: int) -> bytes:
    body = os.pread(handle, size, offset)
    if len(body) != size:
        raise EncodingError("the cached file is cut short")
    return body


def _fill(handle: int, values: Array, offset: int) -> None:
    """Read into the array; the file lies in the system's memory, mostly, so this is a copy."""
    rest, done = values.data.cast("B"), 0
    while done < len(rest):
        count = os.preadv(handle, [rest[done:]], offset + done)
        if not count:
            raise EncodingError("the cached file is cut short")
        done += count


def _start(bars: int) -> int:
    return _padded(_HEADER.size + len(FIELDS) * -(-bars // PAGE) * 8 + _CRC.size)


def _size(bars: int) -> int:
    return _start(bars) + len(FIELDS) * _padded(bars * 8)


def _padded(size: int) -> int:
    return -(-size // ALIGN) * ALIGN
