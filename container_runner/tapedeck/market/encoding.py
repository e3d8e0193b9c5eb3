"""A file of months (one, or a sealed year's): integers with decimal scales, as Parquet, and a month's digest.

price = integer / 10**price_scale, volume = integer / 10**volume_scale; both scales stand in the file's metadata.
Integers stay below 2**53, so that the quotient is the double nearest to the vendor's decimal. What does not fit is
refused.
"""

from __future__ import annotations

import hashlib
import math
import re
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from tapedeck.market.errors import EncodingError

PRICES = ("open", "high", "low", "close")
COLUMNS = ("ts", *PRICES, "volume")
MAX_SCALE = 12
MAX_ABS = 2**53
_DECIMAL = re.compile(r"([+-]?)(?=\.?[0-9])([0-9]{0,32})(?:\.([0-9]{0,32}))?(?:[eE]([+-]?[0-9]{1,2}))?", re.ASCII)
_INT32_MAX = 2**31 - 1
_CODES: dict[int, Literal["q", "i"]] = {pa.int64().id: "q", pa.int32().id: "i"}
_PRICE_SCALE = "tapedeck.price_scale"
_VOLUME_SCALE = "tapedeck.volume_scale"


Body: TypeAlias = "bytes | memoryview"
Column: TypeAlias = "array[int] | memoryview"  # int64, where `decode` says so int32; views are of what others hold


@dataclass(frozen=True)
class Month:
    """A symbol's bars of one month: int64 columns of equal length, `ts` (us UTC) strictly ascending."""

    columns: Mapping[str, Column]  # by COLUMNS
    price_scale: int
    volume_scale: int

    def __len__(self) -> int:
        return len(self.columns["ts"])

    def rows(self, begin: int, end: int) -> Month:
        """Return some of the bars, where they are."""
        columns = {name: values[begin:end] for name, values in self.columns.items()}
        return Month(columns, self.price_scale, self.volume_scale)

    def copy(self) -> Month:
        """Return the bars without what they are a part of."""
        columns = {name: memoryview(values.tobytes()).cast(_format(values)) for name, values in self.columns.items()}
        return Month(columns, self.price_scale, self.volume_scale)


def _format(values: Column) -> Literal["q", "i"]:
    return "q" if values.itemsize == 8 else "i"


def ticks(text: str) -> tuple[int, int]:
    """Return a decimal number as (integer, scale) with the least scale: "1.50" -> (15, 1). Raises EncodingError."""
    if len(text) <= 15 and text.isascii() and text.isdigit():  # most of what there is, at a fifth of the time
        return int(text), 0
    match = check_decimal(text)
    sign, whole, fraction, exponent = match.groups(default="")
    fraction = fraction.rstrip("0")
    value, scale = int(f"{sign}{whole or '0'}{fraction}"), len(fraction) - int(exponent or 0)
    if scale < 0:
        value, scale = value * 10**-scale, 0
    while scale and value % 10 == 0:
        value, scale = value // 10, scale - 1
    if scale > MAX_SCALE or abs(value) >= MAX_ABS:
        raise EncodingError(f"{text!r} has more digits than a file holds exactly")
    return value, scale


def check_decimal(text: str) -> re.Match[str]:
    """Return sign, whole part, fraction and exponent of a decimal number. Raises EncodingError for other text."""
    match = _DECIMAL.fullmatch(text.strip())
    if not match:
        raise EncodingError(f"{text!r} is no decimal number")
    return match


def rescale(values: Iterable[int], scale: int, to: int) -> array[int]:
    """Return integers of `scale` as integers of scale `to`. Raises EncodingError when one does not fit."""
    if (
        to == scale
        and isinstance(values, array)
        and -MAX_ABS < min(values, default=0) <= max(values, default=0) < MAX_ABS
    ):
        return values
    if to >= scale:
        factor = 10 ** (to - scale)
        out = [value * factor for value in values]
    else:
        factor = 10 ** (scale - to)
        pairs = [divmod(value, factor) for value in values]
        if any(rest for _, rest in pairs):
            raise EncodingError(f"a value needs more than {to} decimals")
        out = [value for value, _ in pairs]
    if any(abs(value) >= MAX_ABS for value in out):
        raise EncodingError(f"a value does not fit 2**53 at {to} decimals")
    return array("q", out)


def month(columns: dict[str, array[int]], scales: dict[str, int]) -> Month:
    """Return a month of columns with a scale each (not "ts"), at the least common scales: one form a content.

    Raises EncodingError when the values do not fit a common scale.
    """
    price_scale = max(_least_scale(columns[name], scales[name]) for name in PRICES)
    volume_scale = _least_scale(columns["volume"], scales["volume"])
    out = {"ts": columns["ts"]}
    for name in PRICES:
        out[name] = rescale(columns[name], scales[name], price_scale)
    out["volume"] = rescale(columns["volume"], scales["volume"], volume_scale)
    return Month(out, price_scale, volume_scale)


def _least_scale(values: array[int], scale: int) -> int:
    divisor = math.gcd(*values)
    while scale and divisor % 10 == 0:
        divisor //= 10
        scale -= 1
        if divisor == 0:
            return 0
    return scale


def column_digests(month: Month) -> dict[str, str]:
    """Return the SHA-256 of each column's int64 little-endian bytes."""
    return {name: hashlib.sha256(little_endian(month.columns[name])).hexdigest() for name in COLUMNS}


def combine(columns: dict[str, str], price_scale: int, volume_scale: int) -> str:
    """Return the digest of a month out of its columns' digests and scales."""
    text = f"tapedeck month 1\n{price_scale} {volume_scale}\n" + "\n".join(columns[name] for name in COLUMNS)
    return hashlib.sha256(text.encode()).hexdigest()


def digest(month: Month) -> str:
    """Return the digest of a month's decoded content: the same whatever wrote the file."""
    return combine(column_digests(month), month.price_scale, month.volume_scale)


def little_endian(values: Column) -> bytes:
    """Return a column's values as int64 bytes in little-endian order."""
    if values.itemsize != 8:
        values = array("q", values)
    if sys.byteorder == "big":
        values = array("q", values)
        values.byteswap()
    return values.tobytes()


def encode(*months: Month, metadata: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """Return months of one scale as Parquet, a row group each: DELTA_BINARY_PACKED, lz4_raw, no dictionary."""
    types = {name: _type(name, [month.columns[name] for month in months]) for name in COLUMNS}
    told = {**metadata, _PRICE_SCALE: str(months[0].price_scale), _VOLUME_SCALE: str(months[0].volume_scale)}
    schema = pa.schema([pa.field(name, kind, nullable=False) for name, kind in types.items()], metadata=told)
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        schema,
        compression="lz4",
        use_dictionary=False,
        write_statistics=False,
        store_schema=False,
        column_encoding=dict.fromkeys(COLUMNS, "DELTA_BINARY_PACKED"),
    ) as writer:
        for month in months:
            arrays = [_arrow(month.columns[name]).cast(kind) for name, kind in types.items()]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=max(1, len(month)))
        writer.add_key_value_metadata(told)
    return bytes(sink.getvalue())


def _type(name: str, columns: Sequence[Column]) -> Any:
    """Return int32 where all values of a column fit."""
    narrow = name != "ts" and all(
        len(values) > 0 and max(values) <= _INT32_MAX and min(values) >= -_INT32_MAX for values in columns
    )
    return pa.int32() if narrow else pa.int64()


def _arrow(values: Column) -> Any:
    kind = pa.int64() if values.itemsize == 8 else pa.int32()
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


@dataclass(frozen=True)
class File:
    """An open file of bars: its metadata, and how many row groups it has."""

    metadata: Mapping[str, str]
    groups: int
    parquet: Any


@contextmanager
def opened(body: Body) -> Iterator[File]:
    """Open a file. Raises EncodingError, for what reading finds as well, when it is cut, corrupt or not one of ours."""
    try:
        # without pre_buffer: the bytes are here, and it would hand them to other threads and back
        with pq.ParquetFile(pa.BufferReader(pa.py_buffer(body)), pre_buffer=False) as parquet:
            said = {key.decode(): value.decode() for key, value in (parquet.metadata.metadata or {}).items()}
            yield File(said, parquet.num_row_groups, parquet)
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise error if isinstance(error, EncodingError) else EncodingError(f"is no file of bars: {error}") from error


def read(
    file: File, columns: Iterable[str] = COLUMNS, *, groups: Sequence[int] | None = None, narrow: bool = False
) -> Month:
    """Return the content of a file, of these row groups where not of all; to be used within `opened`.

    With `narrow`, columns keep the file's own width, 32 or 64 bits.
    """
    wanted = [name for name in COLUMNS if name in columns]
    scales = int(file.metadata[_PRICE_SCALE]), int(file.metadata[_VOLUME_SCALE])
    table = file.parquet.read_row_groups(range(file.groups) if groups is None else groups, wanted, use_threads=False)
    return Month({name: _column(table.column(name), narrow) for name in wanted}, *scales)


def decode(body: Body, columns: Iterable[str] = COLUMNS, *, narrow: bool = False) -> Month:
    """Return the content of a file; `narrow` as in `read`.

    Raises EncodingError when it is cut short, corrupt or not one of ours.
    """
    with opened(body) as file:
        return read(file, columns, narrow=narrow)


def _column(chunked: Any, narrow: bool) -> memoryview:
    """Return a column's integers where Arrow has them, without a copy."""
    chunk = chunked.chunk(0) if chunked.num_chunks == 1 else pa.concat_arrays(chunked.chunks)
    if chunk.null_count:
        raise EncodingError("a column has nulls")
    code = _CODES.get(chunk.type.id)
    if code is None:
        raise EncodingError(f"a column has values of type {chunk.type}")
    if code == "i" and not narrow:
        chunk, code = chunk.cast(pa.int64()), "q"
    values = memoryview(chunk.buffers()[1]).cast("B")
    begin = chunk.offset
    size = 8 if code == "q" else 4
    return values[begin * size : (begin + len(chunk)) * size].cast(code)
