"""Polygon's (now Massive's) flat files: day and minute aggregates, all tickers of a day in one gzipped CSV.

ticker,volume,open,close,high,low,window_start,transactions. `window_start` is ns since 1970 UTC; a day's window starts
at its exchange-local midnight. Their lower-case letters mark share classes: BACpE is BAC's preferred E, not BACPE.
"""

from __future__ import annotations

import re
from datetime import date

from tapedeck.market import encoding
from tapedeck.market.vendor.form import Layout
from tapedeck.market.vendor.reading import Reading

_NAMES = {
    "ticker": "symbol",
    "windowstart": "date",
    "volume": "volume",
    **{name: name for name in encoding.PRICES},
}
_MINUTE_NS = 60 * 10**9
_CLASS_PREFIX = "X:"  # of crypto pairs, X:BTC-USD


def _when(reading: Reading, text: str) -> tuple[date, int]:
    return reading.start(since_1970(reading, text, _MINUTE_NS))


def since_1970(reading: Reading, text: str, minute: int) -> tuple[date, int]:
    """Return exchange-local date and minutes of a count since 1970 UTC, `minute` of which are a minute."""
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ValueError(f"{text!r} is no count since 1970")
    minutes, rest = divmod(int(text), minute)
    if rest:
        raise ValueError(f"{text!r} is no bar's start: it has seconds")
    return reading.moment(minutes * 60_000_000)


def _symbol(text: str) -> str:
    """Return a ticker as a symbol: a lower-case letter becomes _ and its upper case, so that none meets another."""
    return re.sub("[a-z]", lambda letter: f"_{letter[0].upper()}", text.removeprefix(_CLASS_PREFIX))


LAYOUT = Layout(_NAMES, ("symbol", "date", *encoding.PRICES, "volume"), _when, symbol=_symbol)
