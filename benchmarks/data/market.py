"""100 symbols x one year of minute bars, walked at random from a fixed seed; made once and kept below build/."""

from __future__ import annotations

from array import array
from datetime import date

import numpy as np
from numpy.typing import NDArray

from benchmarks.data.where import FOLDER, SYMBOLS
from tapedeck.market import encoding, layout, publish
from tapedeck.market import snapshot as snapshots
from tapedeck.market.encoding import COLUMNS, Month
from tapedeck.market.grid import grid
from tapedeck.market.publish import Change
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore

DATASET = layout.parse_dataset("equities-1m")
FIRST, LAST = date(2019, 1, 1), date(2019, 12, 31)
_MONTHS = [f"2019-{month:02}" for month in range(1, 13)]


def load(decimals: int = 2) -> tuple[FolderStore, Snapshot]:
    """Return the market, published into a folder when it is not there yet."""
    store = FolderStore(FOLDER / ("market" if decimals == 2 else f"market-{decimals}"))
    latest = snapshots.latest(store, DATASET.name)
    if latest is None:
        return store, publish.publish(store, DATASET, None, changes(decimals)).snapshot
    return store, snapshots.load(store, DATASET.name, latest)


def changes(decimals: int) -> dict[str, Change]:
    """Return what makes the market."""
    return {symbol: Change(_year(seed, decimals)) for seed, symbol in enumerate(SYMBOLS)}


def _year(seed: int, decimals: int) -> dict[str, Month]:
    ts = grid("XNYS", "1m", FIRST, LAST).ts
    columns = _walk(np.random.default_rng(seed), len(ts), 10 ** (decimals - 2)) | {"ts": ts}
    month = ts.astype("datetime64[us]").astype("datetime64[M]").astype(str)
    return {name: _month({c: columns[c][month == name] for c in COLUMNS}, decimals) for name in _MONTHS}


def _walk(random: np.random.Generator, bars: int, fine: int) -> dict[str, NDArray[np.int64]]:
    """Return prices in cents / `fine`, each bar opening where the last one closed or a cent beside, and volumes."""
    close = np.maximum(500 * fine, 10_000 * fine + np.cumsum(np.rint(random.normal(0, 4 * fine, bars))))
    close = close.astype(np.int64)
    opening = np.concatenate([close[:1], close[:-1]]) + random.integers(-fine, fine + 1, bars)
    reach = random.integers(0, 6 * fine, (2, bars))
    return {
        "open": opening,
        "high": np.maximum(opening, close) + reach[0],
        "low": np.minimum(opening, close) - reach[1],
        "close": close,
        "volume": np.rint(np.exp(random.normal(8, 1, bars))).astype(np.int64),
    }


def _month(columns: dict[str, NDArray[np.int64]], decimals: int) -> Month:
    held = {name: array("q", values.tobytes()) for name, values in columns.items()}
    return encoding.month(held, {name: 0 if name == "volume" else decimals for name in COLUMNS})
