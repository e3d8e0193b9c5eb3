"""Renames and delistings: under which ticker a symbol traded when, and until when it traded at all.

A leaf's `names` hold each ticker with the last date on which it was the symbol's, ascending, as LEAN's map files do:
the first one's date is the symbol's first, the last one's its delisting, or lies far ahead while it is listed.
"""

from __future__ import annotations

from datetime import date

from tapedeck.market.errors import UnknownSymbolError
from tapedeck.market.leaf import Leaf
from tapedeck.market.snapshot import Snapshot

LISTED = date(2050, 1, 1)  # who is listed until then is listed now


def ticker(leaf: Leaf, day: date) -> str:
    """Return the ticker of a symbol on a day: the symbol itself where no table says otherwise."""
    return next((name for until, name in leaf.names if day <= until), leaf.symbol)


def delisted(leaf: Leaf) -> date | None:
    """Return the last day on which the symbol was listed; None while it is, or where no table says."""
    until = leaf.names[-1][0] if leaf.names else LISTED
    return until if until < LISTED else None


def symbol(snapshot: Snapshot, name: str, day: date) -> str:
    """Return the symbol that traded under a ticker on a day; reads every leaf. Raises UnknownSymbolError."""
    for leaf in snapshot.leaves(snapshot.entries).values():
        known = leaf.names[0][0] <= day <= leaf.names[-1][0] if leaf.names else True
        if known and ticker(leaf, day) == name:
            return leaf.symbol
    raise UnknownSymbolError(name, snapshot.dataset)
