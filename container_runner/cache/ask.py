"""What a sidecar may ask for: months of the market bucket by key, version and digest, parsed strictly."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from tapedeck.market import layout
from tapedeck.market.errors import DatasetNameError

BODY_BYTES = 256 * 1024
MONTHS = 512
MAX_WAIT_MS = 30_000
_KEY = re.compile(r"([a-z0-9-]{1,64})/([A-Z0-9._-]{1,32})/([0-9]{4})/(0[1-9]|1[0-2])\.parquet")
_VERSION = re.compile(r"[A-Za-z0-9._~+/=-]{1,256}")


class AskError(ValueError):
    """The request is not one that a sidecar makes."""


@dataclass(frozen=True)
class Asked:
    """One month: where its bytes lie, and the digest of what they must say."""

    key: str
    version: str | None
    digest: str


@dataclass(frozen=True)
class Ask:
    """Months to have there within `wait_s` seconds; those of `doubt` were found damaged by who asks."""

    months: tuple[Asked, ...]
    doubt: tuple[str, ...]
    wait_s: float


def parse(body: bytes) -> Ask:
    """Return what is asked for; raises `AskError` for anything out of the ordinary."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AskError("no JSON") from error
    if not isinstance(value, dict) or set(value) != {"months", "doubt", "wait_ms"}:
        raise AskError("expected months, doubt and wait_ms")
    months, doubt, wait = value["months"], value["doubt"], value["wait_ms"]
    if type(wait) is not int or not 0 < wait <= MAX_WAIT_MS:
        raise AskError(f"wait_ms is 1 to {MAX_WAIT_MS}")
    if not isinstance(months, list) or not isinstance(doubt, list) or len(months) > MONTHS or len(doubt) > MONTHS:
        raise AskError(f"at most {MONTHS} months at once")
    return Ask(tuple(map(_month, months)), tuple(map(_digest, doubt)), wait / 1000)


def _month(value: object) -> Asked:
    if not isinstance(value, list) or len(value) != 3:
        raise AskError("a month is [key, version, digest]")
    key, version, digest = value
    match = _KEY.fullmatch(key) if isinstance(key, str) else None
    if not match:
        raise AskError("no month's key")
    try:
        layout.parse_dataset(match[1])
        layout.check_symbol(match[2])
    except DatasetNameError as error:
        raise AskError("no month's key") from error
    if version is not None and not (isinstance(version, str) and _VERSION.fullmatch(version)):
        raise AskError("no version id")
    return Asked(key, version, _digest(digest))


def _digest(value: object) -> str:
    if not isinstance(value, str) or not layout.is_digest(value):
        raise AskError("no digest")
    return value
