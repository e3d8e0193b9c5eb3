"""An encoded month as a file: the object's bytes as S3 has them, then their CRC-32: no parser sees a harmed file.

Whether the content has its digest is checked whenever it is decoded.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from tapedeck.market import layout
from tapedeck.market.errors import EncodingError

_CRC = struct.Struct("<I")


def name(digest: str) -> str:
    """Return the path of a month below the cache's folder. Raises ValueError when this is no digest."""
    if not layout.is_digest(digest):
        raise ValueError(f"{digest!r} is no digest")
    return f"encoded/{digest[:2]}/{digest}"


def to_bytes(body: bytes) -> bytes:
    """Return the file of an object."""
    return body + _CRC.pack(zlib.crc32(body))


def read(path: Path) -> bytes:
    """Return the object of a file. Raises OSError, and EncodingError when the file is harmed."""
    held = path.read_bytes()
    body = held[: -_CRC.size]
    if held[-_CRC.size :] != _CRC.pack(zlib.crc32(body)):
        raise EncodingError("the cached file is damaged")
    return body


def check(path: Path, digest: str) -> None:
    """Raise as `read` does; the digest is the name's."""
    read(path)
