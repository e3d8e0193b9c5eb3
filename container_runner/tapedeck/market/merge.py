"""What a drop makes of a snapshot: its bars replace those of the same time, all others stay."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from datetime import date
from typing import TypeVar

from tapedeck.market import encoding, months
from tapedeck.market.actions import Dividend, Split
from tapedeck.market.encoding import COLUMNS, Column, Month
from tapedeck.market.leaf import Leaf
from tapedeck.market.publish import Change
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import ObjectStore
from tapedeck.market.vendor.actions import Actions
from tapedeck.market.vendor.reading import Reading
from tapedeck.market.wanted import wanted

Action = TypeVar("Action", Split, Dividend)


def changes(store: ObjectStore, base: Snapshot | None, reading: Reading) -> dict[str, Change]:
    """Return the changes that a reading makes to `base`; their months are merged as they are asked for.

    Asking raises EncodingError when old and new bars do not fit a common scale, DataError for a damaged old month.
    """
    named = sorted({*reading.series, *reading.actions, *reading.names})
    leaves = base.leaves(symbol for symbol in named if symbol in base.entries) if base else {}
    return {
        symbol: _change(
            leaves.get(symbol),
            _Merged(store, reading.dataset.name, leaves.get(symbol), _months(reading, symbol)),
            reading.actions.get(symbol),
            reading.names.get(symbol),
        )
        for symbol in named
    }


def _months(reading: Reading, symbol: str) -> Mapping[str, Month]:
    series = reading.series.get(symbol)
    return series.months if series else {}


class _Merged(Mapping[str, Month]):
    """A symbol's new months, each on top of the old one where the leaf has another."""

    def __init__(self, store: ObjectStore, dataset: str, leaf: Leaf | None, read: Mapping[str, Month]) -> None:
        self._store, self._dataset, self._leaf, self._read = store, dataset, leaf, read

    def __getitem__(self, name: str) -> Month:
        month = self._read[name]
        old = self._leaf.months.get(name) if self._leaf else None
        if self._leaf is None or old is None or old.digest == encoding.digest(month):
            return month
        ((_, held),) = months.load(self._store, wanted(self._dataset, self._leaf, [name]))
        return upsert(held, month)

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)


def upsert(old: Month, new: Month) -> Month:
    """Return the bars of both; of two bars of one time the new one. Raises EncodingError when no scale fits both."""
    price = max(old.price_scale, new.price_scale)
    volume = max(old.volume_scale, new.volume_scale)
    scales = {name: volume if name == "volume" else price for name in COLUMNS[1:]}
    before, after = _at(old, scales), _at(new, scales)
    where = {ts: (before, row) for row, ts in enumerate(before["ts"])}
    where |= {ts: (after, row) for row, ts in enumerate(after["ts"])}
    rows = [where[ts] for ts in sorted(where)]
    return encoding.month({name: array("q", [side[name][row] for side, row in rows]) for name in COLUMNS}, scales)


def _at(month: Month, scales: Mapping[str, int]) -> Mapping[str, Column]:
    columns: dict[str, Column] = {"ts": month.columns["ts"]}
    for name, scale in scales.items():
        own = month.volume_scale if name == "volume" else month.price_scale
        columns[name] = encoding.rescale(month.columns[name], own, scale)
    return columns


def _change(
    leaf: Leaf | None, read: Mapping[str, Month], actions: Actions | None, names: tuple[tuple[date, str], ...] | None
) -> Change:
    if actions is None:
        return Change(months=read, names=names)
    splits = _kept(leaf.splits, actions) if leaf else ()
    dividends = _kept(leaf.dividends, actions) if leaf else ()
    return Change(
        months=read,
        splits=(*splits, *actions.splits),
        dividends=(*dividends, *actions.dividends),
        names=names,
    )


def _kept(old: tuple[Action, ...], actions: Actions) -> tuple[Action, ...]:
    if actions.after is None or actions.upto is None:
        return ()
    return tuple(one for one in old if not actions.after < one.session <= actions.upto)
