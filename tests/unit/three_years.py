"""Three years of daily bars of three stocks, walked from fixed seeds, with splits and dividends."""

from __future__ import annotations

from array import array
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from tapedeck.market import calendar as calendars
from tapedeck.market import encoding, layout, publish
from tapedeck.market.actions import Dividend, Split
from tapedeck.market.encoding import COLUMNS
from tapedeck.market.publish import Change
from tapedeck.market.store import FolderStore

XNYS = calendars.get("XNYS")
SESSIONS = XNYS.sessions(date(2010, 1, 4), date(2012, 12, 31))
START = date(2010, 9, 1)
SPLITS = [Split("AAPL", date(2011, 3, 1), 2.0), Split("IBM", date(2010, 6, 1), 0.5)]
DIVIDENDS = [Dividend("MSFT", date(2011, 5, 17), 0.16), Dividend("AAPL", date(2012, 8, 9), 2.65)]


def cents(symbol: str, seed: int) -> Any:
    """Raw open and close in cents, (sessions, 2)."""
    rng = np.random.default_rng(seed)
    close = 60 * np.exp(np.cumsum(rng.normal(0.0005, 0.02, len(SESSIONS))))
    opened = close * np.exp(rng.normal(0, 0.005, len(SESSIONS)))
    for split in SPLITS:
        if split.symbol == symbol:
            after = np.array([session >= split.session for session in SESSIONS])
            close[after], opened[after] = close[after] / split.ratio, opened[after] / split.ratio
    return np.rint(np.stack([opened, close], axis=1) * 100).astype(np.int64)


PRICES = {symbol: cents(symbol, seed) for seed, symbol in enumerate(["AAPL", "IBM", "MSFT"])}


def change(symbol: str) -> Change:
    """Return all that is published of a symbol."""
    months: dict[str, Any] = {}
    for session, (opened, close) in zip(SESSIONS, PRICES[symbol].tolist(), strict=True):
        columns = months.setdefault(f"{session:%Y-%m}", {name: array("q") for name in COLUMNS})
        values = (XNYS.starts("1d", session)[0], opened, max(opened, close), min(opened, close), close, 1000)
        for name, value in zip(COLUMNS, values, strict=True):
            columns[name].append(value)
    return Change(
        {name: encoding.month(columns, dict.fromkeys(COLUMNS, 2)) for name, columns in months.items()},
        splits=tuple(split for split in SPLITS if split.symbol == symbol),
        dividends=tuple(paid for paid in DIVIDENDS if paid.symbol == symbol),
    )


def published(folder: Path) -> Path:
    """Publish them in a folder; return it."""
    changes = {symbol: change(symbol) for symbol in PRICES}
    publish.publish(FolderStore(folder), layout.parse_dataset("equities-1d"), None, changes)
    return folder
