"""Hostile bytes and strings made plain: what a terminal, a page or JSONB could be hurt by is taken out."""

from __future__ import annotations

_KEPT = {0x09, 0x0A}
_BIDI = {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_LINE_ENDS = {0x0085, 0x2028, 0x2029}
_CONTROL = (set(range(0x20)) | set(range(0x7F, 0xA0))) - _KEPT
_STRIP = dict.fromkeys(_CONTROL | _BIDI | _LINE_ENDS | {0xFEFF})


def plain(text: str, limit: int) -> str:
    """Return `text` without control, bidi, line-separator and surrogate characters, cut to `limit` characters."""
    cleaned = text.translate(_STRIP).encode("utf-8", "replace").decode("utf-8")
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…"


def plain_bytes(raw: bytes, limit: int) -> str:
    """Return the UTF-8 text of `raw`, wrong bytes replaced, made `plain`."""
    return plain(raw.decode("utf-8", "replace"), limit)
