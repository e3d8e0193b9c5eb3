"""A chunk as it lies in the exchange: one file of arrays, each at a 64-byte boundary, and a header that says where.

Arrays are made when they are written, one after the other, so that a chunk is never in memory and in the file at once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

import contract

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@dataclass(frozen=True)
class Column:
    """One array of a chunk and how to make it; its first dimension is the chunk's rows, history included."""

    name: str
    dtype: Literal["<i8", "<i4", "<f8"]
    shape: tuple[int, ...]
    make: Callable[[], NDArray[Any]]

    @property
    def nbytes(self) -> int:
        """How many bytes the array has in the file."""
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
    end = 0
    for column in columns:
        offset = end + _padding(end)
        specs.append({"name": column.name, "dtype": column.dtype, "shape": list(column.shape), "offset": offset})
        end = offset + column.nbytes
    body: contract.ChunkHeader = {
        "index": index,
        "rows": rows,
        "lookback": lookback,
        "arrays": specs,
        "actions": list(actions),
    }
    return json.dumps(body).encode()


def parts(columns: Sequence[Column]) -> Iterator[ReadableBuffer]:
    """Yield the data file's bytes: padding and arrays in turn."""
    end = 0
    for column in columns:
        array = np.ascontiguousarray(column.make(), dtype=column.dtype)
        if array.shape != column.shape:
            raise ValueError(f"{column.name} has shape {array.shape}, not {column.shape}")
        padding = _padding(end)
        yield bytes(padding)
        yield array.data
        end += padding + array.nbytes


def _padding(end: int) -> int:
    return -end % contract.ALIGN
