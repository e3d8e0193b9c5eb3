"""Plain tables: date, open, high, low, close, volume; symbol (or the file's name is the symbol) and adj_close.

Times without an offset are exchange-local.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache

from tapedeck.market import encoding
from tapedeck.market.vendor.form import Layout
from tapedeck.market.vendor.reading import Reading

_NAMES = {
    "symbol": "symbol",
    "ticker": "symbol",
    "date": "date",
    "datetime": "date",
    "time": "date",
    "timestamp": "date",
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "volume": "volume",
    "adjclose": "adj_close",
    "adjustedclose": "adj_close",
}


def _when(reading: Reading, text: str) -> tuple[date, int]:
    """Return exchange-local date and minutes of ISO text; a daily bar has the date as written. Raises ValueError."""
    moment = _parse(text)
    if moment.tzinfo is not None and reading.dataset.bar != "1d":
        return reading.moment(int(moment.timestamp()) * 1_000_000)
    return moment.date(), moment.hour * 60 + moment.minute


@lru_cache(maxsize=1024)  # the rows of many symbols have the same dates
def _parse(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date: YYYY-MM-DD, with HH:MM[:SS] where bars are shorter") from None
    if moment.second or moment.microsecond:
        raise ValueError(f"{text!r} is no bar's start: it has seconds")
    return moment


LAYOUT = Layout(_NAMES, ("date", *encoding.PRICES, "volume"), _when)
