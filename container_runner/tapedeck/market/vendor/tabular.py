"""CSV with a header, one bar a row. Formats differ in their columns' names and in how they write times and prices."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TextIO

from tapedeck.market import encoding, layout
from tapedeck.market.errors import DatasetNameError, EncodingError
from tapedeck.market.vendor.bar import Rounded, Tick
from tapedeck.market.vendor.reading import Reading

Fields = Mapping[str, str]  # a row's texts by our names


@lru_cache(maxsize=65_536)  # prices come again
def decimal(text: str) -> Tick:
    """Return a price that is written as a decimal number. Raises EncodingError."""
    return encoding.ticks(text)


@dataclass(frozen=True)
class Layout:
    """How a format writes bars. `names`: its columns, bare (see `bare`), to ours; `when` raises ValueError."""

    names: Mapping[str, str]
    needed: tuple[str, ...]  # by our names
    when: Callable[[Reading, str], tuple[date, int]]  # exchange-local date, minutes after midnight
    price: Callable[[str], Tick] = decimal
    symbol: Callable[[str], str] = str.upper
    other: Callable[[Reading, Fields], str | None] = lambda reading, row: None  # why a row is not for this dataset


def bare(name: str) -> str:
    """Return a column's name as it is compared: without case, blanks and underscores."""
    return "".join(name.casefold().replace("_", " ").split())


def read(reading: Reading, file: str, symbol: str, lines: TextIO, choose: Callable[[list[str]], Layout]) -> None:
    """Read a CSV into `reading`; `symbol` is taken where the file has no such column. Faults become its problems."""
    rows = _numbered(reading, file, lines)
    _, header = next(rows, (1, []))
    form = choose(header)
    columns = {form.names[name]: at for at, name in enumerate(map(bare, header)) if name in form.names}
    missing = [name for name in form.needed if name not in columns]
    if missing or len(columns) != sum(bare(name) in form.names for name in header):
        fault = f"no column {', '.join(missing)}" if missing else "a column twice"
        reading.problems.add(file, 1, "columns", f"the header {','.join(header)[:200]!r} has {fault}")
        return
    for line, row in rows:
        if len(row) != len(header):
            reading.problems.add(file, line, "columns", f"{len(row)} columns, the header has {len(header)}")
            continue
        fields = {"symbol": symbol} | {name: row[at].strip() for name, at in columns.items()}
        _take(reading, form, fields, file, line)


def _numbered(reading: Reading, file: str, lines: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty with the line they end on; text that is no CSV is a problem and the end."""
    rows = csv.reader(lines, strict=True)
    try:
        for row in rows:
            if row:
                yield rows.line_num, row
    except (csv.Error, UnicodeDecodeError) as error:
        reading.problems.add(file, rows.line_num + 1, "text", f"does not read as CSV in UTF-8: {error}")


def _take(reading: Reading, form: Layout, row: Fields, file: str, line: int) -> None:
    other = form.other(reading, row)
    if other:
        reading.left_out[other] += 1
        return
    try:
        named = layout.check_symbol(form.symbol(row["symbol"]))
        at = form.when(reading, row["date"])
        opened, high, low, close = (_tick(name, row[name], form.price) for name in encoding.PRICES)
        volume = _tick("volume", row["volume"], decimal)
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


def _tick(name: str, text: str, price: Callable[[str], Tick]) -> Tick:
    try:
        return price(text)
    except EncodingError as error:
        raise EncodingError(f"{name}: {error}") from None
