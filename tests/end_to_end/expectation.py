"""What the oracle expects of the crossover on the very vendor files that the tests ingest."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from tests import oracle

TICKS = 10_000  # LEAN's prices are in 1/10,000 dollars


def bokeh(vendor_csv: bytes, symbols: Sequence[str], end: date) -> list[tuple[date, dict[str, oracle.Bar]]]:
    """Return the rows of the daily CSV up to `end`: (session, open and close by symbol)."""
    rows: dict[date, dict[str, oracle.Bar]] = {}
    for line in csv.DictReader(io.StringIO(vendor_csv.decode())):
        session = date.fromisoformat(line["date"])
        if session <= end and line["symbol"] in symbols:
            rows.setdefault(session, dict.fromkeys(symbols))[line["symbol"]] = float(line["open"]), float(line["close"])
    return sorted(rows.items())


def lean_hours(
    folder: Path, symbols: Sequence[str], first: date, end: date
) -> list[tuple[date, dict[str, oracle.Bar]]]:
    """Return the rows of LEAN's hourly zips from `first` to `end`, one for each hour in which one of them traded."""
    rows: dict[str, dict[str, oracle.Bar]] = {}
    for symbol in symbols:
        with zipfile.ZipFile(folder / f"{symbol.lower()}.zip") as archive:
            lines = archive.read(archive.namelist()[0]).decode().splitlines()
        for time, opened, _, _, closed, _ in csv.reader(lines):
            if first <= date.fromisoformat(time[:8]) <= end:
                bar = int(opened) / TICKS, int(closed) / TICKS
                rows.setdefault(time, dict.fromkeys(symbols))[symbol] = bar
    return [(date.fromisoformat(time[:8]), bars) for time, bars in sorted(rows.items())]


def splits(report: Mapping[str, Any]) -> list[oracle.Action]:
    """Return the splits of an ingest report as the oracle takes them."""
    return [
        (s, date.fromisoformat(a["session"]), a["ratio"])
        for s, told in report["symbols"].items()
        for a in told["splits"]
    ]


def dividends(report: Mapping[str, Any]) -> list[oracle.Action]:
    """Return the dividends of an ingest report as the oracle takes them."""
    found = [(s, a) for s, told in report["symbols"].items() for a in told["dividends"]]
    return [(s, date.fromisoformat(a["session"]), a["amount"]) for s, a in found]
