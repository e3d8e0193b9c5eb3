"""A market of daily bars in a folder, published change by change."""

from __future__ import annotations

from array import array
from datetime import date

import numpy as np

from tapedeck.market import calendar as calendars
from tapedeck.market import encoding, layout, publish, reader, snapshot
from tapedeck.market.encoding import COLUMNS, Month
from tapedeck.market.publish import Change
from tapedeck.market.store import FolderStore

DATASET = layout.parse_dataset("equities-1d")


XNYS = calendars.get("XNYS")


SESSIONS = XNYS.sessions(date(2020, 1, 1), date(2020, 4, 30))


Bars = dict[date, int]  # session -> close in cents; the other columns follow from it


def month(bars: Bars) -> Month:
    days = sorted(bars)
    columns = {"ts": array("q", [XNYS.starts("1d", day)[0] for day in days])}
    for at, name in enumerate(COLUMNS[1:]):
        columns[name] = array("q", [bars[day] + at for day in days])
    return encoding.month(columns, dict.fromkeys(COLUMNS, 2))


def change(bars: Bars, **actions: object) -> Change:
    names = sorted({f"{day:%Y-%m}" for day in bars})
    return Change({name: month({d: c for d, c in bars.items() if f"{d:%Y-%m}" == name}) for name in names}, **actions)  # type: ignore[arg-type]


def put(store: FolderStore, changes: dict[str, Change]) -> snapshot.Snapshot:
    held = snapshot.latest(store, DATASET.name)
    base = snapshot.load(store, DATASET.name, held) if held else None
    return publish.publish(store, DATASET, base, changes).snapshot


def closes(store: FolderStore, at: snapshot.Snapshot, symbol: str) -> dict[date, float]:
    block = reader.read_block(store, at, [symbol], ["close"], SESSIONS[0], SESSIONS[-1])
    values = zip(block.session.tolist(), block.fields["close"][:, 0].tolist(), strict=True)
    return {calendars.from_day_number(day): close for day, close in values if not np.isnan(close)}
