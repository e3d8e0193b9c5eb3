"""A chunk as it lies in the exchange: one file of arrays, each at a 64-byte boundary, and a header that says where.

Tables are symbol-major, so a chunk is written symbol by symbol out of what was read: no array is put together first,
and what must be computed is in memory for one symbol at a time.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

import contract

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@dataclass(frozen=True)
class Column:
    """One array of a chunk; its first dimension is the chunk's rows, history included.

    `pieces` yields what lies one after the other in the file: some rows of one symbol (n,), or of several (n, s).
    `same_as` names an earlier array with the same values, whose bytes then stand for both.
    """

    name: str
    dtype: Literal["<i8", "<i4", "<f8"]
    shape: tuple[int, ...]
    pieces: Callable[[], Iterable[NDArray[Any]]]
    same_as: str | None = None

    @property
    def nbytes(self) -> int:
        """How many bytes the array has."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def header(
    index: int,
    rows: int,
    lookback: int,
    columns: Sequence[Column],
    actions: Sequence[tuple[int, int, int, float]] = (),
) -> bytes:
    """Return the chunk's header."""
    specs: list[contract.ArraySpec] = []
    places: dict[str, int] = {}
    end = 0
    for column in columns:
        if column.same_as:
            places[column.name] = places[column.same_as]
        else:
            places[column.name] = end + _padding(end)
            end = places[column.name] + column.nbytes
        offset = places[column.name]
        specs.append({"name": column.name, "dtype": column.dtype, "shape": list(column.shape), "offset": offset})
    body: contract.ChunkHeader = {
        "index": index,
        "rows": rows,
        "lookback": lookback,
        "arrays": specs,
        "actions": list(actions),
    }
    return json.dumps(body).encode()


def parts(columns: Sequence[Column]) -> Iterator[ReadableBuffer]:
    """Yield the data file's bytes: padding and arrays in turn. Raises ValueError for an array of another size."""
    end = 0
    for column in columns:
        if column.same_as:
            continue
        padding, size = _padding(end), 0
        yield bytes(padding)
        for piece in column.pieces():
            array = np.ascontiguousarray(piece.T, dtype=column.dtype)  # a copy only of what is not symbol-major
            yield array.data
            size += array.nbytes
        if size != column.nbytes:
            raise ValueError(f"{column.name} has {size} bytes, its shape {column.shape} has {column.nbytes}")
        end += padding + size


def _padding(end: int) -> int:
    return -end % contract.ALIGN
