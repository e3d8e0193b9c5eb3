"""`tapedeck.actions(...)`: the tables of splits, dividends, renames and delistings, as a snapshot has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Literal

from tapedeck.market import names, reference
from tapedeck.market.leaf import Leaf
from tapedeck.query import Data, find, open_store


@dataclass(frozen=True, order=True)
class Event:
    """What became of a symbol. `session`: ex-date, first day of the new ticker, or last day listed."""

    session: date
    symbol: str
    what: Literal["split", "dividend", "ticker", "delisted"]
    value: float | str | None  # new shares for one, money a share, the new ticker, nothing


def actions(
    symbols: str | Sequence[str],
    *,
    dataset: str,
    snapshot: str = reference.LATEST,
    as_of: datetime | str | None = None,
    data: Data | None = None,
) -> list[Event]:
    """Return the events of one symbol, several, a universe's or all ("*"), by session.

    The other arguments are those of `tapedeck.bars`. Raises `tapedeck.market.errors.MarketError`.
    """
    found, wanted = find(open_store(data), dataset, snapshot, as_of, symbols)
    return sorted(event for leaf in found.leaves(wanted).values() for event in _events(leaf))


def _events(leaf: Leaf) -> Iterator[Event]:
    for split in leaf.splits:
        yield Event(split.session, leaf.symbol, "split", split.ratio)
    for paid in leaf.dividends:
        yield Event(paid.session, leaf.symbol, "dividend", paid.amount)
    for (until, before), (_, name) in pairwise(leaf.names):
        if name != before:
            yield Event(date.fromordinal(until.toordinal() + 1), leaf.symbol, "ticker", name)
    if end := names.delisted(leaf):
        yield Event(end, leaf.symbol, "delisted", None)
