"""One symbol's part of a snapshot: its months, its corporate actions, its former tickers.

The object under a leaf's digest holds two parts: "leaf", whose canonical bytes have that digest, and "index", which
says where the months' bytes lie (S3 version ids, sizes) and is no part of any id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tapedeck.market import canonical
from tapedeck.market.actions import Dividend, Split


@dataclass(frozen=True)
class MonthRef:
    """A month's content: digest of the decoded columns, number of bars, decimal scales, first and last session."""

    digest: str
    rows: int
    price_scale: int
    volume_scale: int
    first: date
    last: date


@dataclass(frozen=True)
class Place:
    """Where a month's bytes lie: the version of its key (None: unversioned), their number."""

    version: str | None
    bytes: int


@dataclass(frozen=True)
class Leaf:
    """A symbol's months by name ("2004-01"), its splits and dividends by session, its tickers with their last dates."""

    symbol: str
    months: Mapping[str, MonthRef] = field(default_factory=dict)
    splits: tuple[Split, ...] = ()
    dividends: tuple[Dividend, ...] = ()
    names: tuple[tuple[date, str], ...] = ()  # (last date on which, ticker), ascending
    places: Mapping[str, Place] = field(default_factory=dict)

    @property
    def first(self) -> date | None:
        """The first session with a bar."""
        return self.months[min(self.months)].first if self.months else None

    @property
    def last(self) -> date | None:
        """The last session with a bar."""
        return self.months[max(self.months)].last if self.months else None

    def content(self) -> dict[str, object]:
        """Return what the digest covers."""
        return {
            "schema": 1,
            "symbol": self.symbol,
            "months": {name: _month_json(ref) for name, ref in self.months.items()},
            "splits": [[split.session.isoformat(), split.ratio] for split in sorted(self.splits)],
            "dividends": [[paid.session.isoformat(), paid.amount] for paid in sorted(self.dividends)],
            "names": [[until.isoformat(), ticker] for until, ticker in self.names],
        }

    def digest(self) -> str:
        """Return the SHA-256 of the canonical content."""
        return canonical.digest(canonical.to_bytes(self.content()))

    def to_bytes(self) -> bytes:
        """Return the stored form, content and index."""
        index = {name: [place.version, place.bytes] for name, place in self.places.items()}
        return canonical.to_bytes({"leaf": self.content(), "index": index})


def from_bytes(body: bytes) -> Leaf:
    """Return the leaf of a stored form. Raises ValueError or KeyError when it is none."""
    stored = json.loads(body)
    content: dict[str, Any] = stored["leaf"]
    symbol = content["symbol"]
    return Leaf(
        symbol=symbol,
        months={name: _month_ref(value) for name, value in content["months"].items()},
        splits=tuple(Split(symbol, date.fromisoformat(day), ratio) for day, ratio in content["splits"]),
        dividends=tuple(Dividend(symbol, date.fromisoformat(day), paid) for day, paid in content["dividends"]),
        names=tuple((date.fromisoformat(until), ticker) for until, ticker in content["names"]),
        places={name: Place(version, size) for name, (version, size) in stored["index"].items()},
    )


def _month_json(ref: MonthRef) -> dict[str, object]:
    return {
        "digest": ref.digest,
        "rows": ref.rows,
        "price_scale": ref.price_scale,
        "volume_scale": ref.volume_scale,
        "first": ref.first.isoformat(),
        "last": ref.last.isoformat(),
    }


def _month_ref(value: dict[str, Any]) -> MonthRef:
    return MonthRef(
        value["digest"],
        value["rows"],
        value["price_scale"],
        value["volume_scale"],
        date.fromisoformat(value["first"]),
        date.fromisoformat(value["last"]),
    )
