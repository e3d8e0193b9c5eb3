"""One symbol's part of a snapshot: its months, its corporate actions, its former tickers.

The object under a leaf's digest holds two parts: "leaf", whose canonical bytes have that digest, and "index", which
says where the months' bytes lie (S3 version ids, sizes, which years are sealed) and is no part of any id.
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
    """Where a month's bytes lie: the version of its key (None: unversioned), their number and SHA-256 (None: unknown).

    Bytes of this SHA-256 are those that were made of the month when it was published; others may still hold the same
    content.
    """

    version: str | None
    bytes: int
    sha256: str | None = None


@dataclass(frozen=True)
class SealedYear:
    """A year's one object: the digest of what its months say, which names its key, its bytes and their SHA-256."""

    content: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Leaf:
    """A symbol's months by name ("2004-01"), its splits and dividends by session, its tickers with their last dates."""

    symbol: str
    months: Mapping[str, MonthRef] = field(default_factory=dict)
    splits: tuple[Split, ...] = ()
    dividends: tuple[Dividend, ...] = ()
    names: tuple[tuple[date, str], ...] = ()  # (last date on which, ticker), ascending
    places: Mapping[str, Place] = field(default_factory=dict)
    sealed: Mapping[str, SealedYear] = field(default_factory=dict)  # by year, "2004"; may be of months since corrected

    @property
    def first(self) -> date | None:
        """The first session with a bar."""
        return self.months[min(self.months)].first if self.months else None

    @property
    def last(self) -> date | None:
        """The last session with a bar."""
        return self.months[max(self.months)].last if self.months else None

    def year(self, year: str) -> dict[str, MonthRef]:
        """Return the months of a year, in order."""
        return {name: self.months[name] for name in sorted(self.months) if name[:4] == year}

    def content_of(self, year: str) -> str:
        """Return the digest of what a year's months say."""
        months = {name: ref.digest for name, ref in self.year(year).items()}
        return canonical.digest(canonical.to_bytes({"schema": 1, "symbol": self.symbol, "months": months}))

    def sealed_year(self, year: str) -> SealedYear | None:
        """Return where a year lies in one object; None when it does not, or a month was corrected since."""
        found = self.sealed.get(year)
        return found if found and found.content == self.content_of(year) else None

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
        index = {name: [place.version, place.bytes, place.sha256] for name, place in self.places.items()}
        sealed = {name: [year.content, year.bytes, year.sha256] for name, year in self.sealed.items()}
        return canonical.to_bytes({"leaf": self.content(), "index": index, "sealed": sealed})


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
        places={name: Place(*place) for name, place in stored["index"].items()},
        sealed={name: SealedYear(*year) for name, year in stored.get("sealed", {}).items()},
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
