"""What differs between two snapshots of a dataset: symbols, months, corporate actions, former tickers, universes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from tapedeck.market.actions import Dividend, Split
from tapedeck.market.leaf import Leaf
from tapedeck.market.snapshot import Snapshot

_T = TypeVar("_T", bound=Hashable)


@dataclass(frozen=True)
class Months:
    """Names of months ("2004-01"), each list ascending; `changed`: other bars or another scale."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True)
class Actions:
    """Splits, dividends and former tickers on one side only; one that was corrected is on both, as it was and is."""

    splits: tuple[Split, ...]
    dividends: tuple[Dividend, ...]
    names: tuple[tuple[date, str], ...]  # (last date on which, ticker)


@dataclass(frozen=True)
class SymbolDiff:
    """What became different for a symbol that both snapshots have."""

    months: Months
    added: Actions
    removed: Actions


@dataclass(frozen=True)
class Members:
    """Symbols that came into a universe and that left it, each sorted; a universe on one side only is empty there."""

    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True)
class Diff:
    """What leads from the snapshot `old` to the snapshot `new`. Symbols are sorted."""

    old: str
    new: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    symbols: Mapping[str, SymbolDiff] = field(default_factory=dict)  # of the first ones of `changed`
    universes: Mapping[str, Members] = field(default_factory=dict)  # those that differ


def diff(old: Snapshot, new: Snapshot, details: int | None = None) -> Diff:
    """Return what leads from `old` to `new`; the months and actions of the first `details` changed symbols (None: all).

    Which symbols differ is in the two roots; only the leaves of those are read. Raises DataError.
    """
    changed = tuple(
        sorted(s for s, entry in new.entries.items() if s in old.entries and old.entries[s].leaf != entry.leaf)
    )
    told = changed[:details]
    before, after = old.leaves(told), new.leaves(told)
    return Diff(
        old=old.id,
        new=new.id,
        added=_sorted_minus(new.entries, old.entries),
        removed=_sorted_minus(old.entries, new.entries),
        changed=changed,
        symbols={symbol: _symbol(before[symbol], after[symbol]) for symbol in told},
        universes=dict(_universes(old, new)),
    )


def _universes(old: Snapshot, new: Snapshot) -> Iterator[tuple[str, Members]]:
    for name in sorted({*old.universes, *new.universes}):
        if old.universes.get(name) != new.universes.get(name):
            before, after = (set(one.universe(name)) if name in one.universes else set() for one in (old, new))
            yield name, Members(tuple(sorted(after - before)), tuple(sorted(before - after)))


def as_json(found: Diff) -> dict[str, Any]:
    """Return a diff as the API and the command line say it."""
    return {
        "from": found.old,
        "to": found.new,
        "added": list(found.added),
        "removed": list(found.removed),
        "changed": list(found.changed),
        "symbols": {
            symbol: {
                "months": {
                    "added": list(one.months.added),
                    "removed": list(one.months.removed),
                    "changed": list(one.months.changed),
                },
                "added": _actions_json(one.added),
                "removed": _actions_json(one.removed),
            }
            for symbol, one in found.symbols.items()
        },
        "universes": {
            name: {"added": list(one.added), "removed": list(one.removed)} for name, one in found.universes.items()
        },
    }


def _actions_json(of: Actions) -> dict[str, Any]:
    return {
        "splits": [[split.session.isoformat(), split.ratio] for split in of.splits],
        "dividends": [[paid.session.isoformat(), paid.amount] for paid in of.dividends],
        "names": [[until.isoformat(), ticker] for until, ticker in of.names],
    }


def _symbol(old: Leaf, new: Leaf) -> SymbolDiff:
    months = Months(
        added=_sorted_minus(new.months, old.months),
        removed=_sorted_minus(old.months, new.months),
        changed=tuple(sorted(n for n, ref in new.months.items() if n in old.months and old.months[n] != ref)),
    )
    return SymbolDiff(months, added=_actions(new, old), removed=_actions(old, new))


def _actions(of: Leaf, without: Leaf) -> Actions:
    return Actions(
        splits=_minus(of.splits, without.splits),
        dividends=_minus(of.dividends, without.dividends),
        names=_minus(of.names, without.names),
    )


def _minus(these: Iterable[_T], those: Iterable[_T]) -> tuple[_T, ...]:
    known = set(those)
    return tuple(one for one in these if one not in known)


def _sorted_minus(these: Iterable[str], those: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(_minus(these, those)))
