"""The record of what was traded."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapedeck.engine.settings import LimitError

RECORD = np.dtype(
    [
        ("ts", "<i8"),  # start of the bar at whose open it filled, microseconds since 1970, UTC
        ("session", "<i4"),  # days since 1970-01-01
        ("symbol", "<i4"),  # column
        ("quantity", "<f8"),  # shares, negative for a sale
        ("price", "<f8"),  # with slippage
        ("reference", "<f8"),  # the bar's open
        ("commission", "<f8"),  # currency
        ("slippage", "<f8"),  # currency: |quantity| x |price - reference|
        ("realised", "<f8"),  # profit of the part of a position that it closed, costs included; NaN: closed nothing
    ]
)
MOST = 1_000_000  # of a run: the sidecar holds them, and writes them down, in its part of the pod's memory
_SLAB = 4096


@dataclass(frozen=True)
class Fills:
    """Fills in the order in which they happened; `records` is an array of dtype `RECORD`, columns are attributes."""

    records: NDArray[np.void]

    def __len__(self) -> int:
        return len(self.records)

    def __getattr__(self, name: str) -> NDArray[np.float64]:
        """Return a column of the records."""
        if name not in (RECORD.names or ()):
            raise AttributeError(name)
        column: NDArray[np.float64] = self.records[name]
        return column

    def to_bytes(self) -> bytes:
        """Return the fills as fixed-width little-endian records: those of two blocks, joined, are the whole's."""
        return self.records.tobytes()

    def to_csv(self, symbols: Sequence[str]) -> str:
        """Return a table with a header; floats read back equal, times are ISO 8601, UTC."""
        return "".join(self.csv_parts(symbols))

    def csv_parts(self, symbols: Sequence[str]) -> Iterator[str]:
        """Yield `to_csv` piece by piece, some hundred kilobytes each: the text takes twice what the records do."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["time", "session", *(RECORD.names or ())[2:]])
        yield out.getvalue()
        for start in range(0, len(self.records), _SLAB):
            slab, out = self.records[start : start + _SLAB], io.StringIO()
            writer = csv.writer(out, lineterminator="\n")
            times = np.datetime_as_string(slab["ts"].astype("<M8[us]"), unit="s")
            days = np.datetime_as_string(slab["session"].astype("datetime64[D]"))
            for time, day, row in zip(times, days, slab.tolist(), strict=True):
                values = ["" if math.isnan(value) else repr(value) for value in row[3:]]
                writer.writerow([f"{time}Z", day, symbols[row[2]], *values])
            yield out.getvalue()


class Tape:
    """Fills as they happen, rows in the order of `RECORD`, packed soon: a million tuples take 400 MB, records 64."""

    def __init__(self) -> None:
        self._packed: list[NDArray[np.void]] = []
        self._rows: list[tuple[float, ...]] = []
        self._before = 0  # rows that are packed

    def __len__(self) -> int:
        return self._before + len(self._rows)

    def append(self, row: tuple[float, ...]) -> None:
        """Add a fill."""
        self._rows.append(row)
        if len(self._rows) == _SLAB:
            self._packed.append(np.array(self._rows, RECORD))
            self._rows = []
            self._before += _SLAB

    def since(self, first: int) -> list[tuple[float, ...]]:
        """Return the rows from number `first` on."""
        if first >= self._before:
            return self._rows[first - self._before :]
        whole, begin = divmod(first, _SLAB)
        packed = [row for slab in self._packed[whole:] for row in slab.tolist()]
        return (packed + self._rows)[begin:]

    def fills(self) -> Fills:
        """Return all of them."""
        return concat([*map(Fills, self._packed), from_rows(self._rows)])


def check_count(count: int) -> None:
    """Raise `LimitError` when a run has more fills than `MOST`."""
    if count > MOST:
        raise LimitError(f"the run has more than {MOST:,} fills, the most that a run may have")


def from_rows(rows: Sequence[tuple[float, ...]]) -> Fills:
    """Return fills of rows in the order of `RECORD`."""
    return Fills(np.array(list(rows), dtype=RECORD))


def from_bytes(body: bytes) -> Fills:
    """Return the fills that `Fills.to_bytes` wrote."""
    return Fills(np.frombuffer(body, dtype=RECORD))


def concat(parts: Sequence[Fills]) -> Fills:
    """Return the fills of several blocks as one."""
    return Fills(np.concatenate([np.empty(0, RECORD), *(part.records for part in parts)]))
