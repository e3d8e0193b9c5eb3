"""A decoded month as a file that is mapped, not parsed: how the node's cache keeps it and a sidecar reads it.

    header   192 bytes: magic, decimal scales, rows, the month's digest, two checksums a column, the header's CRC-32
    columns  ts open high low close volume: int64, little endian, each from a 64-byte boundary on

The digest in the header is that of the content (`encoding.digest`), the name under which a snapshot asks for it; it
is computed when the file is written and again by `check`. `read` is for every use: it compares size, header, digest
and the checksums of the columns that it returns, at memory speed. A column's checksums are the sum modulo 2**64 and
the exclusive or of its words: every flipped bit, every damage within one word and, but for one case in 2**64, any
other damage by chance is found.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tapedeck.market import encoding, layout
from tapedeck.market.encoding import COLUMNS, Month
from tapedeck.market.errors import EncodingError

ALIGN = 64
_MAGIC = b"TDMONTH1"
_HEADER = struct.Struct("<8sIIQ32s12Q")
_CRC = struct.Struct("<I")
_START = -(-(_HEADER.size + _CRC.size) // ALIGN) * ALIGN
_MAP_FROM = 128 * 1024  # bytes; below it, reading costs less than mapping


def name(digest: str) -> str:
    """Return the path of a month below the cache's folder. Raises ValueError when this is no digest."""
    if not layout.is_digest(digest):
        raise ValueError(f"{digest!r} is no digest")
    return f"decoded/{digest[:2]}/{digest}"


def to_bytes(month: Month, digest: str) -> bytes:
    """Return the file of a month whose content has this digest."""
    columns = [encoding.little_endian(month.columns[column]) for column in COLUMNS]
    sums = [value for column in columns for value in _checksums(memoryview(column))]
    header = _HEADER.pack(_MAGIC, month.price_scale, month.volume_scale, len(month), bytes.fromhex(digest), *sums)
    parts = [header + _CRC.pack(zlib.crc32(header)), *columns]
    return b"".join(part.ljust(_padded(len(part)), b"\0") for part in parts)


def read(path: Path, digest: str, columns: Iterable[str] = COLUMNS) -> Month:
    """Return the month of a file, with `ts` and these columns; big ones are mapped, not copied.

    Raises FileNotFoundError, OSError, and EncodingError when the file is not, whole and unharmed, the month of this
    digest.
    """
    body = _open(path)
    if len(body) < _START:
        raise EncodingError("the cached month is cut short")
    header = bytes(body[: _HEADER.size])
    if _CRC.unpack_from(body, _HEADER.size)[0] != zlib.crc32(header):
        raise EncodingError("the cached month's header is damaged")
    magic, price_scale, volume_scale, rows, found, *sums = _HEADER.unpack(header)
    if magic != _MAGIC or found.hex() != digest:
        raise EncodingError("the cached file is another month's")
    step = _padded(rows * 8)
    if len(body) != _START + len(COLUMNS) * step:
        raise EncodingError("the cached month does not have its size")
    wanted, out = {"ts", *columns}, {}
    for at, column in enumerate(COLUMNS):
        if column in wanted:
            start = _START + at * step
            words = body[start : start + rows * 8]
            if _checksums(words) != tuple(sums[2 * at : 2 * at + 2]):
                raise EncodingError(f"the cached month's column {column} is damaged")
            out[column] = words.cast("q")
    return Month(out, price_scale, volume_scale)


def check(path: Path, digest: str) -> None:
    """Raise as `read` does unless the file's content has this digest, computed anew."""
    if encoding.digest(read(path, digest)) != digest:
        raise EncodingError("the cached month's content does not have its digest")


def _open(path: Path) -> memoryview:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO does not hold us up
    try:
        size = os.fstat(handle).st_size
        if size < _MAP_FROM:
            return memoryview(os.read(handle, _MAP_FROM))
        return memoryview(mmap.mmap(handle, size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ))
    finally:
        os.close(handle)


def _checksums(column: memoryview) -> tuple[int, int]:
    words = np.frombuffer(column, "<u8")
    return int(np.add.reduce(words, dtype=np.uint64)), int(np.bitwise_xor.reduce(words))


def _padded(size: int) -> int:
    return -(-size // ALIGN) * ALIGN
