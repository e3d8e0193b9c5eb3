"""What a sidecar may ask for: years of the market bucket by months, version and digest, parsed strictly."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tapedeck.market import layout, years
from tapedeck.market.errors import DatasetNameError

BODY_BYTES = 256 * 1024
NAMES = 2048
YEARS = 128
MAX_WAIT_MS = 30_000
_MONTH = re.compile(r"((?:19|20)[0-9]{2})-(?:0[1-9]|1[0-2])", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9._~+/=-]{1,256}")


class AskError(ValueError):
    """The request is not one that a sidecar makes."""


@dataclass(frozen=True)
class Asked:
    """One month: its name, where its bytes lie, and the digest of what they must say."""

    month: str
    key: str
    version: str | None
    digest: str


@dataclass(frozen=True)
class AskedYear:
    """Months of one symbol and year, ascending, and the sealed year that has them too, by what its months say."""

    dataset: str
    symbol: str
    months: tuple[Asked, ...]
    sealed: str | None = None

    @property
    def sealed_key(self) -> str | None:
        """Where the sealed year lies."""
        year = self.months[0].month[:4]
        return layout.sealed_key(self.dataset, self.symbol, year, self.sealed) if self.sealed else None

    @cached_property
    def name(self) -> str:
        """The name of the file; it follows from what it is to hold, nobody says it."""
        return years.name(self.dataset, [(month.month, month.digest) for month in self.months])


@dataclass(frozen=True)
class Held:
    """Files that may be there; those of `doubt` were found damaged by who asks."""

    names: tuple[str, ...]
    doubt: tuple[str, ...]


@dataclass(frozen=True)
class Bring:
    """Years to have there, within `wait_s` seconds if that can be."""

    years: tuple[AskedYear, ...]
    wait_s: float


def parse_held(body: bytes) -> Held:
    """Return what is asked for; raises `AskError` for anything out of the ordinary."""
    value = _object(body, {"names", "doubt"})
    return Held(*(tuple(map(_digest, _some(value[part], NAMES))) for part in ("names", "doubt")))


def parse_bring(body: bytes) -> Bring:
    """Return what is asked for; raises `AskError` for anything out of the ordinary."""
    value = _object(body, {"years", "wait_ms"})
    wait = value["wait_ms"]
    if type(wait) is not int or not 0 < wait <= MAX_WAIT_MS:
        raise AskError(f"wait_ms is 1 to {MAX_WAIT_MS}")
    return Bring(tuple(map(_year, _some(value["years"], YEARS))), wait / 1000)


def _object(body: bytes, keys: set[str]) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AskError("no JSON") from error
    if not isinstance(value, dict) or set(value) != keys:
        raise AskError(f"expected {', '.join(sorted(keys))}")
    return value


def _some(value: object, most: int) -> list[object]:
    if not isinstance(value, list) or len(value) > most:
        raise AskError(f"at most {most} at once")
    return value


def _year(value: object) -> AskedYear:
    if not isinstance(value, list) or len(value) != 4 or not all(isinstance(part, str) for part in value[:2]):
        raise AskError("a year is [dataset, symbol, months, sealed]")
    dataset, symbol, held, sealed = value
    months = _some(held, 12)
    try:
        layout.parse_dataset(dataset)
        layout.check_symbol(symbol)
        found = tuple(_month(dataset, symbol, month) for month in months)
    except DatasetNameError as error:
        raise AskError("no symbol's year") from error
    names = [month.month for month in found]
    if not names or names != sorted(set(names)) or names[0][:4] != names[-1][:4]:
        raise AskError("months of one year, ascending, are expected")
    return AskedYear(dataset, symbol, found, None if sealed is None else _digest(sealed))


def _month(dataset: str, symbol: str, value: object) -> Asked:
    if not isinstance(value, list) or len(value) != 3:
        raise AskError("a month is [name, version, digest]")
    name, version, digest = value
    if not isinstance(name, str) or not _MONTH.fullmatch(name):
        raise AskError("no month")
    if version is not None and not (isinstance(version, str) and _VERSION.fullmatch(version)):
        raise AskError("no version id")
    return Asked(name, layout.month_name_key(dataset, symbol, name), version, _digest(digest))


def _digest(value: object) -> str:
    if not isinstance(value, str) or not layout.is_digest(value):
        raise AskError("no digest")
    return value
