"""Binance's klines: `BTCUSDT-1m-2024-01.csv`, alone or in a zip of that name; twelve columns, a header or none.

Open time (ms since 1970 UTC, us in spot files from 2025 on), open, high, low, close, volume, close time, quote volume,
trades, taker buy base and quote volume, ignore.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable

from tapedeck.market import encoding, layout
from tapedeck.market.vendor import polygon
from tapedeck.market.vendor.reading import Reading

NAME = re.compile(r"([A-Z0-9_]+)-([0-9]{1,2}(?:s|m|h|d|w|mo))-[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?\.csv", re.ASCII)
_COLUMNS = 12
_MINUTE_MS = 60_000
_MICROSECONDS = 10**14  # ms reach this in the year 5138, us passed it in 1973


def read(reading: Reading, file: str, name: str, lines: Iterable[str]) -> None:
    """Read a file of klines; `name` says symbol and interval. Another interval than the dataset's is left out."""
    match = NAME.fullmatch(name)
    assert match, name
    if match[2] != reading.dataset.bar:
        reading.left_out["files that hold no bars of this dataset"] += 1
        return
    symbol = layout.check_symbol(match[1])
    for line, row in enumerate(csv.reader(lines), 1):
        if not row or (line == 1 and row[0] == "open_time"):
            continue
        try:
            if len(row) != _COLUMNS:
                raise ValueError(f"{len(row)} columns, klines have {_COLUMNS}")
            minute = _MINUTE_MS * (1000 if row[0].isdigit() and int(row[0]) >= _MICROSECONDS else 1)
            at = reading.start(polygon.since_1970(reading, row[0], minute))
            opened, high, low, close, volume = map(encoding.ticks, row[1:6])
        except ValueError as error:  # EncodingError is one
            reading.problems.add(file, line, "row", f"{symbol}: {error}")
            continue
        reading.bar(symbol, at, (opened, high, low, close, volume), file=file, line=line)
