"""Databento's OHLCV schemas as CSV, with symbols mapped.

ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol. `ts_event` is a bar's start in ns since
1970 UTC, or ISO; a daily bar is a UTC date's. Prices are integers of 1e-9, or decimals where the file is "pretty".
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from tapedeck.market import encoding
from tapedeck.market.errors import EncodingError
from tapedeck.market.vendor import polygon
from tapedeck.market.vendor.bar import Tick
from tapedeck.market.vendor.form import Fields, Layout
from tapedeck.market.vendor.reading import Reading

_NAMES = {
    "symbol": "symbol",
    "tsevent": "date",
    "rtype": "rtype",
    "volume": "volume",
    **{name: name for name in encoding.PRICES},
}
_RTYPES = {"33": "1m", "34": "1h", "35": "1d"}
_DECIMALS = 9
_UNDEFINED = str(2**63 - 1)
_MINUTE_NS = 60 * 10**9


def _when(reading: Reading, text: str) -> tuple[date, int]:
    if text.isdigit():
        day, minutes = polygon.since_1970(reading, text, _MINUTE_NS)
        return (_utc_day(int(text) // 10**9), 0) if reading.dataset.bar == "1d" else (day, minutes)
    try:
        moment = datetime.fromisoformat(text)  # of the fraction, digits past the sixth are dropped
    except ValueError:
        raise ValueError(f"{text!r} is neither ns since 1970 nor ISO") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment.second or moment.microsecond:
        raise ValueError(f"{text!r} is no bar's start: it has seconds")
    if reading.dataset.bar == "1d":
        return _utc_day(int(moment.timestamp())), 0
    return reading.moment(int(moment.timestamp()) * 1_000_000)


def _utc_day(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()


class _Prices:
    """Reads a file's prices: all of them are billionths, or all are decimals."""

    def __init__(self) -> None:
        self.seen: str | None = None

    def __call__(self, text: str) -> Tick:
        if text == _UNDEFINED:
            raise EncodingError("the price is undefined")
        whole = _is_whole(text)
        if self.seen is not None and whole is not _is_whole(self.seen):
            raise EncodingError(f"{text!r} in a file that has prices as decimals and as whole numbers, of billionths")
        value = encoding.ticks(f"{text}e-{_DECIMALS}" if whole else text)
        self.seen = text
        return value


def _is_whole(text: str) -> bool:
    return text.lstrip("-").isdigit()


def _other(reading: Reading, row: Fields) -> str | None:
    return None if _RTYPES.get(row["rtype"]) == reading.dataset.bar else "bars of another length"


def layout() -> Layout:
    """Return the layout of one file."""
    needed = ("symbol", "date", "rtype", *encoding.PRICES, "volume")
    price = _Prices()
    return Layout(_NAMES, needed, _when, price, other=_other, seen=lambda: price.seen, fixed=_DECIMALS)
