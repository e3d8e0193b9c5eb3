"""The fills of a run as its page shows them: the first and the last, of a file that passes by and is never held."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass

SHOWN = 400
END_BYTES = 256 * 1024  # kept of each end: a row has 170 bytes, so this is far more than what is shown of it


@dataclass(frozen=True)
class Trades:
    """The rows that are shown, in order; all of them stand in `first` when there are no more than `SHOWN`."""

    columns: list[str]
    first: list[list[str]]
    last: list[list[str]]
    total: int


def read(parts: Iterable[bytes]) -> Trades:
    """Return the ends of a `trades.csv` that comes in parts, each row a line; raises `ValueError` when it is none."""
    head, tail, lines = b"", b"", 0
    for part in parts:
        lines += part.count(b"\n")
        if len(head) < END_BYTES:
            head += part[: END_BYTES - len(head)]
        tail = (tail + part)[-END_BYTES:]
    columns, *first = _rows(head.split(b"\n")[:-1])
    total = lines - 1
    if total <= SHOWN and len(first) == total:
        return Trades(columns, first, [], total)
    first = first[: SHOWN // 2]
    last = _rows(tail.split(b"\n")[1:-1])  # the first of them may be the rest of a line
    return Trades(columns, first, last[-(SHOWN // 2) :], total)


def _rows(lines: list[bytes]) -> list[list[str]]:
    try:
        return list(csv.reader(line.decode() for line in lines))
    except csv.Error as error:
        raise ValueError(f"no table: {error}") from error
