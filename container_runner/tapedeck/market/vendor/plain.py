"""Plain CSV: one bar a row, columns by name.

date, open, high, low, close, volume; symbol (or the file's name is the symbol) and adj_close where there are. Names are
compared without case, blanks and underscores. Times without an offset are exchange-local.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime
from functools import lru_cache
from typing import TextIO

from tapedeck.market import encoding, layout
from tapedeck.market.errors import DatasetNameError, EncodingError
from tapedeck.market.vendor.reading import Reading
from tapedeck.market.vendor.series import Rounded, Tick

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
_NEEDED = ("date", *encoding.PRICES, "volume")


def read(reading: Reading, file: str, symbol: str, lines: TextIO) -> None:
    """Read a CSV into `reading`; `symbol` is taken where the file has no such column. Faults become its problems."""
    rows = _numbered(reading, file, lines)
    _, header = next(rows, (1, []))
    columns = _columns(header)
    missing = [name for name in _NEEDED if name not in columns]
    if missing or _repeats(header):
        fault = f"no column {', '.join(missing)}" if missing else "a column twice"
        reading.problems.add(file, 1, "columns", f"the header {','.join(header)[:200]!r} has {fault}")
        return
    for line, row in rows:
        if len(row) != len(header):
            reading.problems.add(file, line, "columns", f"{len(row)} columns, the header has {len(header)}")
            continue
        _take(reading, file, line, {name: row[at].strip() for name, at in columns.items()}, symbol)


def _columns(header: list[str]) -> dict[str, int]:
    return {_NAMES[name]: at for at, name in enumerate(map(_bare, header)) if name in _NAMES}


def _repeats(header: list[str]) -> bool:
    known = [_NAMES[name] for name in map(_bare, header) if name in _NAMES]
    return len(known) != len(set(known))


def _bare(name: str) -> str:
    return "".join(name.casefold().replace("_", " ").split())


def _numbered(reading: Reading, file: str, lines: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty with the line they end on; text that is no CSV is a problem and the end."""
    rows = csv.reader(lines, strict=True)
    try:
        for row in rows:
            if row:
                yield rows.line_num, row
    except (csv.Error, UnicodeDecodeError) as error:
        reading.problems.add(file, rows.line_num + 1, "text", f"does not read as CSV in UTF-8: {error}")


def _take(reading: Reading, file: str, line: int, row: dict[str, str], symbol: str) -> None:
    try:
        named = layout.check_symbol(row.get("symbol", symbol).upper())
        at = _when(reading, row["date"])
        opened, high, low, close, volume = (_tick(name, row[name]) for name in (*encoding.PRICES, "volume"))
        adjusted = Rounded.of(row["adj_close"]) if row.get("adj_close") else None
        if adjusted and adjusted.value <= 0:
            raise EncodingError(f"adj_close is {row['adj_close']}: prices are above 0")
    except EncodingError as error:
        reading.problems.add(file, line, "number", str(error))
    except DatasetNameError as error:
        reading.problems.add(file, line, "symbol", str(error))
    except ValueError as error:
        reading.problems.add(file, line, "date", str(error))
    else:
        reading.bar(named, at, (opened, high, low, close, volume), file=file, line=line, adjusted=adjusted)


def _tick(name: str, text: str) -> Tick:
    try:
        return encoding.ticks(text)
    except EncodingError as error:
        raise EncodingError(f"{name}: {error}") from None


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
