"""Keys in the market-data bucket.

Months lie under upper-case symbols as the specification asks; what is ours lies below `snapshots/` and `sealed/`, which
no dataset can be named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from tapedeck.market.errors import DatasetNameError

Bar = Literal["1d", "1h", "1m"]

_BARS: dict[str, Bar] = {"1d": "1d", "1h": "1h", "1m": "1m"}
_CALENDARS = {"equities": "XNYS", "crypto": "24/7"}
_DATASET = re.compile(r"([a-z]+)-(1d|1h|1m)(?:-([a-z0-9]+))?")
_SYMBOL = re.compile(r"[A-Z0-9_-][A-Z0-9._-]{0,31}")
_MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Dataset:
    """What a dataset's name says: `{class}-{bar}[-{venue}]`."""

    name: str
    calendar: str  # name of a calendar of `tapedeck.market.calendar`
    bar: Bar
    venue: str | None


@lru_cache(maxsize=64)  # asked for each symbol
def parse_dataset(name: str) -> Dataset:
    """Return what a dataset's name says. Raises DatasetNameError."""
    m = _DATASET.fullmatch(name)
    if not m or m[1] not in _CALENDARS:
        raise DatasetNameError(
            f"{name!r} is no dataset: expected {{class}}-{{bar}}[-{{venue}}] with a class of "
            f"{', '.join(_CALENDARS)} and a bar of {', '.join(_BARS)}"
        )
    return Dataset(name, _CALENDARS[m[1]], _BARS[m[2]], m[3])


def check_symbol(symbol: str) -> str:
    """Return the symbol itself. Raises DatasetNameError when it has characters other than A-Z 0-9 . _ -"""
    if not _SYMBOL.fullmatch(symbol):
        raise DatasetNameError(f"{symbol!r} is no symbol: 1 to 32 of A-Z 0-9 . _ - are")
    return symbol


def month_key(dataset: str, symbol: str, year: int, month: int) -> str:
    """Return the key of a symbol's month (of the exchange-local session date)."""
    return f"{dataset}/{symbol}/{year:04}/{month:02}.parquet"


def month_name_key(dataset: str, symbol: str, month: str) -> str:
    """Return the key of a month named as in a leaf, "2004-01"."""
    if not _MONTH.fullmatch(month):
        raise DatasetNameError(f"{month!r} is no month")
    return month_key(dataset, symbol, int(month[:4]), int(month[5:]))


def sealed_key(dataset: str, symbol: str, year: str, content: str) -> str:
    """Return the key of a symbol's sealed year; `content` is the digest of what its months say (`Leaf.content_of`)."""
    return f"sealed/{dataset}/{symbol}/{year}/{content}.parquet"


def is_digest(text: str) -> bool:
    """Say whether this is a SHA-256 in hexadecimal, as snapshot ids are."""
    return bool(_DIGEST.fullmatch(text))


def snapshot_root_key(dataset: str, snapshot_id: str) -> str:
    """Return the key of a snapshot's root, whose bytes have the SHA-256 `snapshot_id`."""
    return f"snapshots/{dataset}/roots/{snapshot_id}.json"


def snapshot_leaf_key(dataset: str, digest: str) -> str:
    """Return the key of a symbol's leaf, content addressed, shared between snapshots."""
    return f"snapshots/{dataset}/leaves/{digest}.json"


def snapshot_universe_key(dataset: str, digest: str) -> str:
    """Return the key of a universe's list, content addressed, shared between snapshots."""
    return f"snapshots/{dataset}/universes/{digest}.json"


def latest_key(dataset: str) -> str:
    """Return the key of the pointer to the latest snapshot."""
    return f"snapshots/{dataset}/latest.json"


def history_key(dataset: str) -> str:
    """Return the key of the index of the dataset's snapshots."""
    return f"snapshots/{dataset}/history.json"
