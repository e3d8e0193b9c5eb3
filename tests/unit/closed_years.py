"""A market whose years are closed and can be sealed."""

from __future__ import annotations

from array import array
from datetime import date

from tapedeck.market import calendar as calendars
from tapedeck.market import encoding, layout, publish, snapshot
from tapedeck.market.encoding import COLUMNS, Month
from tapedeck.market.publish import Change
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore

DATASET = layout.parse_dataset("equities-1d")


XNYS = calendars.get("XNYS")


SESSIONS = XNYS.sessions(date(2019, 11, 1), date(2021, 1, 29))


NAMES = sorted({f"{day:%Y-%m}" for day in SESSIONS})


def month(name: str, close: int = 12_345) -> Month:
    """The sessions of a month, prices in cents."""
    days = [day for day in SESSIONS if f"{day:%Y-%m}" == name]
    columns = {"ts": array("q", [XNYS.starts("1d", day)[0] for day in days])}
    for at, column in enumerate(COLUMNS[1:]):
        columns[column] = array("q", [close + at + row for row in range(len(days))])
    return encoding.month(columns, dict.fromkeys(COLUMNS[1:5], 2) | {"volume": 0})


def market(store: FolderStore, changes: dict[str, dict[str, Month]] | None = None) -> Snapshot:
    """AAPL from 2019-11 to 2021-01, IBM in the first half of 2020 and the last month; or these changes on top."""
    made = changes or {
        "AAPL": {name: month(name) for name in NAMES},
        "IBM": {name: month(name, 90_000) for name in (*NAMES[2:8], NAMES[-1])},
    }
    held = snapshot.latest(store, DATASET.name)
    base = snapshot.load(store, DATASET.name, held) if held else None
    return publish.publish(store, DATASET, base, {symbol: Change(months) for symbol, months in made.items()}).snapshot
