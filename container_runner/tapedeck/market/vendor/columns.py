"""Passes of Arrow over a block's columns: texts to what they mean, numbers to integers, and where rows change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from tapedeck.market.encoding import MAX_ABS

SCALES = (0, 2, 4, 8, 12)  # tried in turn, the least that all numbers of a block fit
_DIGITS = 32  # of a number's text; `encoding.ticks` takes no more on either side of the point
_T = TypeVar("_T")


class SecondLookError(Exception):
    """The block's lines are to be read one by one."""


def by_text(column: Any, mean: Callable[[str], _T]) -> tuple[list[_T], Any]:
    """Return what each different text of a column means, and each row's place among them."""
    found = column.dictionary_encode()
    return [mean(text.strip()) for text in found.dictionary.to_pylist()], found.indices


def is_whole(texts: Any) -> bool:
    """Say whether all are digits alone."""
    return bool(pc.all(pc.utf8_is_digit(texts)).as_py())


def ticks(texts: Sequence[Any], scales: Sequence[int]) -> tuple[list[Any], int]:
    """Return numbers as int64 with the first of the decimal scales that all fit. Raises `SecondLookError`.

    Numbers with an exponent get the second look: far below a scale Arrow makes 0 of them without a word.
    """
    if any(pc.max(pc.binary_length(text)).as_py() > _DIGITS or _exponent(text) for text in texts):
        raise SecondLookError
    for scale in scales:
        try:
            decimals = [pc.cast(text, pa.decimal128(38, scale)) for text in texts]
        except pa.ArrowInvalid:  # more decimals, or no number
            continue
        return [_low(one) for one in decimals], scale
    raise SecondLookError


def _exponent(texts: Any) -> bool:
    """Say whether there may be an exponent: an E is in the texts, or in what lies beside them."""
    letters = bytes(texts.buffers()[2] or b"")
    return b"e" in letters or b"E" in letters


def _low(decimals: Any) -> Any:
    """Return decimals' unscaled values as int64. Raises `SecondLookError` for one below 0, or from 2**53 on."""
    words = raw(decimals).cast("q")
    values = int64(words[::2].tobytes())
    small = pc.and_(pc.less(values, MAX_ABS), pc.greater(values, -1))
    if words[1::2].tobytes().strip(b"\0") or not pc.all(small).as_py():
        raise SecondLookError
    return values


def int64(body: bytes) -> Any:
    """Return an array of this machine's int64 bytes, without copying them."""
    return pa.Array.from_buffers(pa.int64(), len(body) // 8, [None, pa.py_buffer(body)])


def raw(column: Any) -> memoryview:
    """Return the bytes of a column without nulls."""
    width, body = column.type.bit_width // 8, memoryview(column.buffers()[1])
    return body[column.offset * width : (column.offset + len(column)) * width]


def changes(keys: Any) -> list[int]:
    """Return the rows whose key is not the row's before."""
    there = pc.indices_nonzero(pc.not_equal(keys[1:], keys[:-1]))
    return [at + 1 for at in there.to_pylist()]


def late(ts: Any, symbol: Any) -> list[int]:
    """Return the rows that are earlier than the same symbol's row before."""
    if len(ts) < 2:
        return []
    earlier = pc.and_(pc.less(ts[1:], ts[:-1]), pc.equal(symbol[1:], symbol[:-1]))
    return [at + 1 for at in pc.indices_nonzero(earlier).to_pylist()]
