"""A universe's list: a symbol a line, or a CSV whose first column is the symbol; the file's name is the universe's."""

from __future__ import annotations

import csv
from collections.abc import Iterable

from tapedeck.market import layout, universe
from tapedeck.market.errors import DatasetNameError, UniverseError
from tapedeck.market.vendor.reading import Reading

_HEADERS = ("symbol", "ticker")


def read(reading: Reading, file: str, name: str, lines: Iterable[str]) -> None:
    """Read a list into `reading.universes`; empty lines and those that begin with # say nothing."""
    try:
        universe.check_name(name)
    except UniverseError as error:
        reading.problems.add(file, None, "name", str(error))
        return
    found: dict[str, None] = {}
    for line, row in enumerate(csv.reader(lines), 1):
        text = row[0].strip() if row else ""
        if not text or text.startswith("#") or (not found and text.casefold() in _HEADERS):
            continue
        try:
            found[layout.check_symbol(text.upper())] = None
        except DatasetNameError as error:
            reading.problems.add(file, line, "symbol", str(error))
    reading.universes[name] = tuple(sorted(found))
