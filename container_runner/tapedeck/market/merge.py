"""What a drop makes of a snapshot: its bars replace those of the same time, all others stay."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from datetime import date
from typing import TypeVar

from tapedeck.market import encoding, months
from tapedeck.market.actions import Dividend, Split
from tapedeck.market.encoding import COLUMNS, Column, Month
from tapedeck.market.leaf import Leaf
from tapedeck.market.publish import Change
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import ObjectStore
from tapedeck.market.vendor.reading import Actions, Reading

Action = TypeVar("Action", Split, Dividend)


def changes(
    store: ObjectStore, base: Snapshot | None, reading: Reading, read: Mapping[str, Mapping[str, Month]]
) -> dict[str, Change]:
    """Return the changes that a reading makes to `base`; `read` holds its series' months by symbol and name.

    Raises EncodingError when old and new bars of a month do not fit a common scale, DataError for a damaged old month.
    """
    named = sorted({*read, *reading.actions, *reading.names})
    leaves = base.leaves(symbol for symbol in named if symbol in base.entries) if base else {}
    held = [
        months.wanted(reading.dataset.name, leaves[symbol], name)
        for symbol in named
        if symbol in leaves
        for name, month in read.get(symbol, {}).items()
        if name in leaves[symbol].months and leaves[symbol].months[name].digest != encoding.digest(month)
    ]
    merged = {symbol: dict(by_name) for symbol, by_name in read.items()}
    for want, month in months.load(store, held):
        merged[want.symbol][want.name] = upsert(month, read[want.symbol][want.name])
    return {
        symbol: _change(
            leaves.get(symbol), merged.get(symbol, {}), reading.actions.get(symbol), reading.names.get(symbol)
        )
        for symbol in named
    }


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
