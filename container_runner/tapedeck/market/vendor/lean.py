"""QuantConnect LEAN's files: bars without a header in zips, factor files and map files.

Equity prices are integers of 1/10,000 dollar in New York time, crypto prices decimals in UTC. Daily and hourly rows
begin with `YYYYMMDD HH:MM`, minute rows with milliseconds after midnight of the day in the file's name.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from tapedeck.market import encoding, layout
from tapedeck.market.errors import CalendarError, EncodingError
from tapedeck.market.vendor import derive
from tapedeck.market.vendor.bar import Rounded, Tick
from tapedeck.market.vendor.reading import Reading

_MINUTE_NAME = re.compile(r"([0-9]{8})_([a-z0-9.]+)_minute_trade\.csv", re.ASCII)
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_EQUITY_SCALE = 4
_COLUMNS = 6
_MINUTE_MS = 60_000


def read_bars(reading: Reading, file: str, name: str, lines: Iterable[str]) -> None:
    """Read a member of a LEAN zip: `name` is the member's, `aapl.csv` or `20140609_aapl_minute_trade.csv`."""
    minute = _MINUTE_NAME.fullmatch(name)
    ticker = minute[2] if minute else name.removesuffix(".csv")
    symbol = layout.check_symbol(ticker.upper())
    day = _day(minute[1]) if minute else None
    scale = _EQUITY_SCALE if reading.dataset.calendar == "XNYS" else None
    for line, row in enumerate(csv.reader(lines), 1):
        if not row:
            continue
        try:
            if len(row) != _COLUMNS:
                raise ValueError(f"{len(row)} columns, LEAN's bars have {_COLUMNS}")
            at = reading.start((day, _minutes(row[0])) if day else _when(row[0]))
            opened, high, low, close = (_price(text, scale) for text in row[1:5])
            volume = encoding.ticks(row[5])
        except ValueError as error:  # EncodingError is one
            reading.problems.add(file, line, "row", f"{symbol}: {error}")
            continue
        reading.bar(symbol, at, (opened, high, low, close, volume), file=file, line=line)


def read_factors(reading: Reading, file: str, ticker: str, lines: Iterable[str]) -> None:
    """Read a factor file: the symbol's splits and dividends, all of them."""
    symbol = layout.check_symbol(ticker.upper())
    rows = []
    for line, row in enumerate(csv.reader(lines), 1):
        if not row:
            continue
        try:
            day, price, split, reference = row
            value, scale = encoding.ticks(reference)
            rows.append(derive.FactorRow(_day(day), _factor(price), _factor(split), value / 10**scale))
        except ValueError as error:
            reading.problems.add(file, line, "row", f"{symbol}: no factor file's row: {error}")
    try:
        reading.actions[symbol] = derive.from_factors(symbol, rows, reading.calendar)
    except CalendarError as error:
        reading.problems.add(file, None, "date", f"{symbol}: {error}")


def read_map(reading: Reading, file: str, ticker: str, lines: Iterable[str]) -> None:
    """Read a map file: the symbol's tickers with the last date of each."""
    symbol = layout.check_symbol(ticker.upper())
    names = []
    for line, row in enumerate(csv.reader(lines), 1):
        if not row:
            continue
        try:
            names.append((_day(row[0]), layout.check_symbol(row[1].upper())))
        except (ValueError, IndexError) as error:
            reading.problems.add(file, line, "row", f"{symbol}: no map file's row: {error}")
    if names:
        reading.names[symbol] = tuple(sorted(names))


def _factor(text: str) -> Rounded:
    factor = Rounded.of(text, derive.FACTOR_DECIMALS)
    if factor.value <= 0:
        raise ValueError(f"factor {text} is not above 0")
    return factor


def _price(text: str, scale: int | None) -> Tick:
    value, own = encoding.ticks(text)
    if scale is None:
        return value, own
    if own:
        raise EncodingError(f"{text!r} is no whole number of 1/10,000 dollar")
    return value, scale


def _minutes(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is no time: milliseconds after midnight")
    minutes, rest = divmod(int(text), _MINUTE_MS)
    if rest:
        raise ValueError(f"{text!r} ms is no minute's start")
    return minutes


def _when(text: str) -> tuple[date, int]:
    day, _, clock = text.partition(" ")
    if not _CLOCK.fullmatch(clock):
        raise ValueError(f"{text!r} is no time: YYYYMMDD HH:MM")
    return _day(day), int(clock[:2]) * 60 + int(clock[3:])


@lru_cache(maxsize=64)
def _day(text: str) -> date:
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is no date: YYYYMMDD")
    return date.fromisoformat(text)
