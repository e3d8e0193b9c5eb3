"""Bodies in aws-chunked encoding, as SDKs send them to S3 with a checksum that comes after the data."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable

_CHECKSUMS: dict[str, Callable[[bytes], bytes]] = {
    "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "x-amz-checksum-sha1": lambda body: hashlib.sha1(body).digest(),  # noqa: S324 - the client's choice of checksum
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
}


def decode(raw: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the body and its trailing headers, the checksum compared.

    Raises ValueError for a broken encoding, a checksum that differs, or one that cannot be computed here.
    """
    parts, at = [], 0
    while True:
        end = raw.index(b"\r\n", at)
        size = int(raw[at:end].partition(b";")[0], 16)
        at = end + 2
        if size == 0:
            break
        if raw[at + size : at + size + 2] != b"\r\n":
            raise ValueError("a chunk is shorter than it says")
        parts.append(raw[at : at + size])
        at += size + 2
    body, trailers = b"".join(parts), _trailers(raw[at:])
    for name, value in trailers.items():
        if name not in _CHECKSUMS:
            raise ValueError(f"the trailer {name} is not known")
        if base64.b64encode(_CHECKSUMS[name](body)).decode() != value:
            raise ValueError(f"{name} is not the body's")
    return body, trailers


def _trailers(raw: bytes) -> dict[str, str]:
    lines = [line.partition(":") for line in raw.decode("ascii").split("\r\n") if line]
    return {name.strip().lower(): value.strip() for name, _, value in lines}
