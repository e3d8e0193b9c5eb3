"""One way to write a value as bytes, so that equal content has one digest."""

from __future__ import annotations

import hashlib
import json


def to_bytes(value: object) -> bytes:
    """Return canonical JSON: sorted keys, no blanks, UTF-8, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(body: bytes) -> str:
    """Return the SHA-256 of the bytes in hexadecimal."""
    return hashlib.sha256(body).hexdigest()
