"""A market of two symbols and two months of minutes, and a store that counts what is asked of it."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np

from sidecar.near import NodeCache
from tapedeck.market import calendar as calendars
from tapedeck.market import encoding, layout, reader, years
from tapedeck.market.block import Block
from tapedeck.market.encoding import COLUMNS, Month
from tapedeck.market.grid import grid
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore

DATASET = layout.parse_dataset("crypto-1m")
CALENDAR = calendars.get("24/7")
SYMBOLS = ["BTC", "ETH"]
FIRST, LAST = date(2021, 1, 30), date(2021, 2, 2)


class Watched(FolderStore):
    """A store that counts its months' GETs and does what `before` does before each."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.gets = 0
        self.before: Callable[[], None] = lambda: None

    def get(self, key: str, version: str | None = None) -> bytes:
        if key.endswith(".parquet"):
            self.gets += 1
            self.before()
        return super().get(key, version)


def month(name: str, seed: int) -> Month:
    first = date.fromisoformat(f"{name}-01")
    last = date(first.year, first.month, 31 if first.month == 1 else 28)
    ts = grid(DATASET.calendar, "1m", first, last).ts
    numbers = np.random.default_rng(seed)
    columns = {"ts": array("q", ts.tobytes())}
    for column in COLUMNS[1:]:
        columns[column] = array("q", numbers.integers(1, 10**9, len(ts)).tobytes())
    return encoding.month(columns, dict.fromkeys(COLUMNS, 2))


class Market:
    """A market of two symbols and two months, and what is read of it without a cache."""

    def __init__(self, root: Path, snapshot: Snapshot) -> None:
        self.store, self.snapshot = Watched(root), snapshot
        self.direct = self.read(None)
        self.store.gets = 0

    def read(self, near: years.Near | None) -> Block:
        return reader.read_block(self.store, self.snapshot, SYMBOLS, COLUMNS[1:], FIRST, LAST, near=near)

    def reads_right(self, near: NodeCache) -> bool:
        read = self.read(near)
        return all(read.fields[name].tobytes() == self.direct.fields[name].tobytes() for name in COLUMNS[1:])
