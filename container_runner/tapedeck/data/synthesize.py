"""Seeded bars of symbols that do not exist, for scale tests and first steps.

Whole numbers only, out of PCG64's raw stream: the same seed makes the same bytes on any machine. A month is made from
the seed, its symbol and its own name alone, when it is written, so that memory does not grow with the range.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapedeck.market import calendar as calendars
from tapedeck.market import encoding, layout, snapshot
from tapedeck.market.actions import Split
from tapedeck.market.encoding import PRICES, Month
from tapedeck.market.errors import CalendarError, DatasetNameError
from tapedeck.market.grid import grid
from tapedeck.market.publish import Change, Published, publish
from tapedeck.market.store import FolderStore

Integers = NDArray[np.int64]
MAX_SYMBOLS = 1_000_000
SCALE = 2  # decimals of a price
_FINE = 10_000  # paths are kept in 1/10,000 of a cent
_UNIT = 37_837  # the standard deviation of four 16-bit numbers' sum
_DAY_SIGMA = 64  # a session's standard deviation is 1/64 of the price: 1.6 %
_FLOOR = 100 * _FINE  # a path turns at 1.00
_ROOTS = {"1m": 197, "1h": 26, "1d": 10}  # ten times the root of a usual session's bars
_SPLITS = (2, 3, 4, 7, 10)


def into(folder: Path, dataset: str, *, symbols: int, start: date, end: date, seed: int, begin: int = 0) -> Published:
    """Add symbols S0000, S0001, ... up to the number `symbols` from `start` to `end` to the folder as a new snapshot.

    With `begin`, those from that number on: a symbol's bars are the same however many are made at once.

    Raises DatasetNameError, CalendarError, PublishConflictError.
    """
    name = layout.parse_dataset(dataset)
    if not 0 < symbols <= MAX_SYMBOLS:
        raise DatasetNameError(f"{symbols} symbols: 1 to {MAX_SYMBOLS:,} can be made")
    if not _months(name.calendar, start, end):
        raise CalendarError(f"{name.calendar} has no session from {start} to {end}")
    store = FolderStore(folder)
    held = snapshot.latest(store, dataset)
    base = snapshot.load(store, dataset, held) if held else None
    made = (Maker(name, f"S{number:04}", start, end, seed) for number in range(begin, symbols))
    changes = {maker.symbol: Change(_Made(maker), splits=maker.splits) for maker in made}
    return publish(store, name, base, changes)


class _Made(Mapping[str, Month]):
    """A symbol's months, made when they are asked for."""

    def __init__(self, maker: Maker) -> None:
        self._maker = maker

    def __getitem__(self, name: str) -> Month:
        return self._maker.month(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._maker.months)

    def __len__(self) -> int:
        return len(self._maker.months)


@dataclass(frozen=True)
class Maker:
    """Makes one symbol's bars."""

    dataset: layout.Dataset
    symbol: str
    start: date
    end: date
    seed: int

    @property
    def months(self) -> dict[str, list[date]]:
        """The sessions by month."""
        return _months(self.dataset.calendar, self.start, self.end)

    @cached_property
    def splits(self) -> tuple[Split, ...]:
        """One split for a third of the symbols of at least a year of sessions, somewhere in its middle."""
        sessions = [session for month in self.months.values() for session in month]
        draw = self._stream("splits").random_raw(3).tolist()
        if len(sessions) < 250 or draw[0] % 3:
            return ()
        at = len(sessions) // 4 + draw[1] % (len(sessions) // 2)
        return (Split(self.symbol, sessions[at], float(_SPLITS[draw[2] % len(_SPLITS)])),)

    @cached_property
    def _levels(self) -> dict[str, tuple[int, int]]:
        """The path's value where a month begins and where the next one does."""
        stream = self._stream("levels")
        level = (20 + int(stream.random_raw()) % 180) * 100 * _FINE
        out = {}
        for name, draw in zip(self.months, _normal(stream, len(self.months)).tolist(), strict=True):
            after = max(_FLOOR, level + draw * (level // 14) // _UNIT)  # 7 % a month
            out[name] = level, after
            level = after
        return out

    def month(self, name: str) -> Month:
        """Return a month's bars."""
        stream = self._stream(name)
        rows = grid(self.dataset.calendar, self.dataset.bar, self.months[name][0], self.months[name][-1])
        session = rows.session
        first = np.flatnonzero(np.diff(session, prepend=-1))
        prices = self._prices(stream, name, len(rows), first)
        volume = self._volumes(stream, first, len(rows))
        for split in self.splits:
            ratio, after = int(split.ratio), session >= calendars.day_number(split.session)
            prices = {column: np.where(after, values // ratio, values) for column, values in prices.items()}
            volume = np.where(after, volume * ratio, volume)
        there = self._there(stream, first, len(rows))
        ts = rows.ts
        cents = {column: np.maximum(1, values // _FINE) for column, values in prices.items()}
        columns = {"ts": ts, **cents, "volume": volume}
        kept = {column: array("q", values[there].astype("<i8").tobytes()) for column, values in columns.items()}
        return encoding.month(kept, dict.fromkeys(PRICES, SCALE) | {"volume": 0})

    def _prices(self, stream: Any, name: str, bars: int, first: Integers) -> dict[str, Integers]:
        """Return a walk from this month's level to the next one's; a session's first bar opens apart from the last."""
        begin, end = self._levels[name]
        step = begin * 10 // (_DAY_SIGMA * _ROOTS[self.dataset.bar])
        moves = _normal(stream, bars) * step // _UNIT
        jumps = np.zeros(bars, np.int64)
        jumps[first] = _normal(stream, len(first)) * (begin // (2 * _DAY_SIGMA)) // _UNIT
        walk = np.cumsum(moves + jumps)
        pulled = begin + walk + (end - begin - walk[-1]) * np.arange(1, bars + 1) // bars
        close = np.maximum(pulled, _FLOOR)
        before = np.concatenate([[begin], close[:-1]])
        opened = np.maximum(before + jumps, _FLOOR)
        wick = np.abs(_normal(stream, 2 * bars)).reshape(2, bars) * step // (2 * _UNIT)
        high = np.maximum(opened, close) + wick[0]
        low = np.maximum(np.minimum(opened, close) - wick[1], _FLOOR // 2)
        return {"open": opened, "high": high, "low": low, "close": close}

    def _volumes(self, stream: Any, first: Integers, bars: int) -> Integers:
        """Return shares: a U over each session, three times as much at its ends as in its middle, times noise."""
        ends = np.append(first[1:], bars)
        length = np.repeat(ends - first, ends - first)
        at = np.arange(bars) - np.repeat(first, ends - first)
        away = np.abs(2 * at + 1 - length)  # 0 in the middle, length - 1 at the ends
        shape = 1000 + 2000 * away**2 // np.maximum(1, length - 1) ** 2
        noise = 200 + (_raw(stream, bars) % np.uint64(1600)).astype(np.int64)
        return np.asarray(1 + shape * noise * self._size // 1_000_000, np.int64)

    @cached_property
    def _size(self) -> int:
        return 50 + int(self._stream("size").random_raw()) % 5000

    def _there(self, stream: Any, first: Integers, bars: int) -> NDArray[np.bool_]:
        """Say which bars have trades: the thin symbols' are missing here and there, a halt takes half an hour."""
        thin = 1 + 20_000 // self._size  # of 10,000 bars, missing
        there = (_raw(stream, bars) % np.uint64(10_000)).astype(np.int64) >= thin
        ends = np.append(first[1:], bars)
        for begin, end, draw in zip(first.tolist(), ends.tolist(), _raw(stream, len(first)).tolist(), strict=True):
            if draw % 200 == 0 and end - begin > 60:  # a session in two hundred has a halt
                halt = begin + draw // 200 % (end - begin - 45)
                there[halt : halt + 5 + draw % 41] = False
        there[first[0]] = True  # a month is never empty
        return there

    def _stream(self, what: str) -> Any:
        text = f"tapedeck synthesize 1\n{self.seed}\n{self.dataset.name}\n{self.symbol}\n{what}"
        return np.random.PCG64(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))


@lru_cache(maxsize=4)  # all symbols have the same
def _months(calendar: str, start: date, end: date) -> dict[str, list[date]]:
    out: dict[str, list[date]] = {}
    for session in calendars.get(calendar).sessions(start, end):
        out.setdefault(f"{session:%Y-%m}", []).append(session)
    return out


def _raw(stream: Any, count: int) -> NDArray[np.uint64]:
    return np.asarray(stream.random_raw(count), np.uint64)


def _normal(stream: Any, count: int) -> Integers:
    """Return nearly normal whole numbers of standard deviation `_UNIT`: sums of four 16-bit ones, less their mean."""
    raw = _raw(stream, count)
    parts = [(raw >> np.uint64(shift) & np.uint64(0xFFFF)).astype(np.int64) for shift in (0, 16, 32, 48)]
    return np.asarray(sum(parts[1:], parts[0]) - 2 * 65_535, np.int64)
