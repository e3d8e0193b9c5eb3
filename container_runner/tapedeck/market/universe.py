"""Universes: lists of a dataset's symbols under a name, kept in its snapshots, so that a run of today reads today's.

A list is static: it says nothing of who was in it when. `symbols = "tech"` means today's members on the past as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from tapedeck.market import canonical, layout
from tapedeck.market.errors import DataError, UniverseError
from tapedeck.market.store import ObjectStore
from tapedeck.suggest import did_you_mean

ALL = "*"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")

Lists = Mapping[str, tuple[str, ...] | None]  # by name; None takes a universe away


@dataclass(frozen=True)
class Universe:
    """What a snapshot's root says of a universe: the digest of its list, how many symbols are in it."""

    digest: str
    count: int


def check_name(name: str) -> str:
    """Return the name itself. Raises UniverseError; no name can be taken for a symbol, which has no small letters."""
    if not _NAME.fullmatch(name):
        raise UniverseError(f"{name!r} is no universe's name: 1 to 64 of a-z 0-9 _ - are, a letter first")
    return name


def unknown(name: str, dataset: str, known: Iterable[str]) -> str:
    """Return what to say of a universe that there is not."""
    names = sorted(known)
    there = did_you_mean(name, names) or f"; there are: {', '.join([ALL, *names])}"
    return f"{dataset} has no universe {name[:64]!r}{there}"


def changed(
    base: Mapping[str, Universe], lists: Lists, known: Collection[str], dataset: str
) -> tuple[dict[str, Universe], list[tuple[str, bytes]]]:
    """Return the universes that `base` has with these lists, and the objects to write: key and bytes.

    `known`: the symbols with bars. Raises UniverseError for a list that is empty or names another symbol.
    """
    universes, objects = dict(base), []
    for name, symbols in lists.items():
        check_name(name)
        if symbols is None:
            universes.pop(name, None)
            continue
        _check(name, symbols, known, dataset)
        body = canonical.to_bytes({"schema": 1, "symbols": sorted(set(symbols))})
        universes[name] = Universe(canonical.digest(body), len(set(symbols)))
        objects.append((layout.snapshot_universe_key(dataset, universes[name].digest), body))
    return universes, objects


def _check(name: str, symbols: tuple[str, ...], known: Collection[str], dataset: str) -> None:
    if not symbols:
        raise UniverseError(f"the universe {name!r} names no symbol")
    strange = [symbol for symbol in symbols if symbol not in known]
    if strange:
        more = f" and {len(strange) - 1:,} more" if len(strange) > 1 else ""
        hint = did_you_mean(strange[0], known)
        raise UniverseError(f"the universe {name!r}: {dataset} has no bars of {strange[0]}{more}{hint}")


def load(store: ObjectStore, dataset: str, name: str, held: Universe) -> tuple[str, ...]:
    """Return a universe's symbols, sorted. Raises DataError when its list is gone or not the one that is meant."""
    key = layout.snapshot_universe_key(dataset, held.digest)
    try:
        body = store.get(key)
    except KeyError:
        raise DataError(f"the list of the universe {name!r} is gone", key=key) from None
    if canonical.digest(body) != held.digest:
        raise DataError(f"the list of the universe {name!r} does not have its digest", key=key)
    return tuple(json.loads(body)["symbols"])
