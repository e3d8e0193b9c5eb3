"""What is ingested is what is read: every price and volume of minute bars, whatever the packing, order and parts.

And it has one id, whatever the format.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

import tapedeck
from tapedeck.fields import FIELDS
from tapedeck.market import calendar as calendars
from tapedeck.market import layout, reader
from tapedeck.market.actions import Split
from tapedeck.market.store import FolderStore
from tapedeck.market.vendor import drop
from tapedeck.market.vendor.accept import accept

DAILY = layout.parse_dataset("equities-1d")
MINUTE = layout.parse_dataset("equities-1m")
XNYS = calendars.get("XNYS")
DAYS = [date(2020, 1, 2), date(2020, 1, 31), date(2020, 2, 3), date(2020, 7, 1)]  # winter and summer time
HEADER = "symbol,date,open,high,low,close,volume\n"
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "a.csv": bytes,
    "a.csv.gz": gzip.compress,
    "a.csv.zst": lambda body: bytes(pa.compress(body, "zstd", asbytes=True)),
}

price = st.decimals(min_value="0.0001", max_value="99999", places=4, allow_nan=False)
volume = st.decimals(min_value=0, max_value=10**9, places=3, allow_nan=False)
place = st.tuples(st.sampled_from(["A", "BRK.B", "C"]), st.sampled_from(DAYS), st.integers(0, 389))
bar = st.tuples(st.lists(price, min_size=4, max_size=4), volume)
few = st.sampled_from([Decimal(2), Decimal("1.5"), Decimal("2.50")])  # decimals: the scale is the least whoever read it
round_bar = st.tuples(st.lists(few, min_size=4, max_size=4), few)


def line(where: tuple[str, date, int], prices: list[Decimal], traded: Decimal) -> str:
    symbol, day, minute = where
    low, opened, close, high = sorted(prices)
    clock = f"{(570 + minute) // 60:02}:{(570 + minute) % 60:02}"
    return f"{symbol},{day} {clock},{opened},{high},{low},{close},{traded}\n"


@settings(deadline=None, max_examples=25)
@given(
    st.dictionaries(place, bar, min_size=1, max_size=12),
    st.sampled_from(sorted(PACKED)),
    st.integers(1, 3),
    st.integers(1, 100),
    st.sampled_from(["1m", "5m", "1d"]),
)
def test_every_value_is_read_back(
    wanted: dict[tuple[str, date, int], tuple[list[Decimal], Decimal]], name: str, parts: int, held: int, freq: str
) -> None:
    lines = [line(where, *of) for where, of in wanted.items()]
    with TemporaryDirectory() as folder:
        store = FolderStore(Path(folder))
        for part in range(parts):
            if mine := lines[part::parts]:
                body = PACKED[name]((HEADER + "".join(mine)).encode())
                at = accept(store, drop.read(MINUTE, name, body, held_rows=held)).snapshot
        symbols = sorted({symbol for symbol, _, _ in wanted})
        block = reader.read_block(store, at, symbols, FIELDS, DAYS[0], DAYS[-1])
        expected = {name: np.full((len(block.ts), len(symbols)), np.nan) for name in FIELDS}
        expected["volume"][:] = 0
        rows = {ts: row for row, ts in enumerate(block.ts.tolist())}
        for (symbol, day, minute), (prices, traded) in wanted.items():
            low, opened, close, high = map(float, sorted(prices))
            row, column = rows[XNYS.starts("1m", day)[minute]], symbols.index(symbol)
            values = {"open": opened, "high": high, "low": low, "close": close, "volume": float(traded)}
            for field, value in values.items():
                expected[field][row, column] = value
        for field in FIELDS:
            np.testing.assert_array_equal(block.fields[field], expected[field])
        whole = tapedeck.bars("*", DAYS[0], DAYS[-1], dataset=MINUTE.name, freq=freq, data=store)
        for day in DAYS:
            alone = tapedeck.bars("*", day, day, dataset=MINUTE.name, freq=freq, data=store)
            own = whole.session == calendars.day_number(day)
            for field in FIELDS:
                np.testing.assert_array_equal(getattr(alone, field), getattr(whole, field)[own])


POLYGON = "ticker,volume,open,close,high,low,window_start,transactions\n"


def polygons(where: tuple[str, date, int], prices: list[Decimal], traded: Decimal) -> str:
    symbol, day, minute = where
    low, opened, close, high = sorted(prices)
    start = XNYS.starts("1m", day)[minute]
    return f"{symbol},{traded:E},{opened:.6f},{close:E},+{high},0{low},{start * 1000},1\n"


@settings(deadline=None, max_examples=20)
@given(
    st.dictionaries(place, bar, min_size=1, max_size=12) | st.dictionaries(place, round_bar, min_size=1),
    st.lists(st.tuples(st.sampled_from(sorted(PACKED)), st.booleans()), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
def test_the_same_bars_have_the_same_id_in_whatever_files_they_came(
    wanted: dict[tuple[str, date, int], tuple[list[Decimal], Decimal]], parts: list[tuple[str, bool]], random: Random
) -> None:
    """Each part packed as it likes and in its own order, written by one vendor or another, with rows there twice."""
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        whole = (HEADER + "".join(line(where, *of) for where, of in wanted.items())).encode()
        expected = accept(FolderStore(Path(one)), drop.read(MINUTE, "a.csv", whole)).snapshot.id
        rows = [*wanted.items(), *list(wanted.items())[:2]]
        random.shuffle(rows)
        for at, (name, is_polygons) in enumerate(parts):
            write, header = (polygons, POLYGON) if is_polygons else (line, HEADER)
            body = header + "".join(write(where, *of) for where, of in rows[at :: len(parts)])
            reading = drop.read(MINUTE, name, PACKED[name](body.encode()))
            if rows[at :: len(parts)]:
                got = accept(FolderStore(Path(other)), reading).snapshot.id
    assert got == expected


ADJUSTED = "symbol,date,open,high,low,close,volume,adj_close\n"
SPLIT_ROWS = [f"A,2020-01-0{day},{close},{close},{close},{close},5,44\n" for day, close in ((2, 88), (3, 44), (6, 44))]


def test_parts_with_an_adjusted_close_come_to_the_same_id_where_each_begins_with_the_last_session_before(
    tmp_path: Path,
) -> None:
    def ids(folder: str, *parts: list[str]) -> tuple[str, tuple[Split, ...]]:
        for part in parts:
            at = accept(
                FolderStore(tmp_path / folder), drop.read(DAILY, "a.csv", (ADJUSTED + "".join(part)).encode())
            ).snapshot
        return at.id, at.leaf("A").splits

    whole = ids("whole", SPLIT_ROWS)
    assert whole[1] == (Split("A", date(2020, 1, 3), 2.0),)
    assert ids("overlapping", SPLIT_ROWS[:1], SPLIT_ROWS[:2], SPLIT_ROWS[1:]) == whole
    assert ids("apart", SPLIT_ROWS[:1], SPLIT_ROWS[1:])[1] == ()  # the jump is in neither part: docs/how-to/ingest.md
