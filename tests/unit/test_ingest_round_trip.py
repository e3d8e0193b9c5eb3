"""What is ingested is what is read: every price and volume of minute bars, whatever the packing, order and parts."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

import tapedeck
from tapedeck.fields import FIELDS
from tapedeck.market import calendar as calendars
from tapedeck.market import layout, reader
from tapedeck.market.store import FolderStore
from tapedeck.market.vendor import drop
from tapedeck.market.vendor.accept import accept

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
