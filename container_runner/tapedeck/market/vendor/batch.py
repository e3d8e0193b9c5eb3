"""Many rows of a table at once, where nothing in them asks for a second look.

A block of lines is taken whole by a few passes of Arrow over its columns, or not at all: where a number does not
parse, a date is none, a price cannot be, or a bar holds two scales, its lines are read one by one, and what is wrong is
told with its line. Both ways come to the same (`tests/unit/test_vendor_batch.py`).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from tapedeck.market import layout
from tapedeck.market.calendar import day_number
from tapedeck.market.encoding import MAX_ABS, PRICES
from tapedeck.market.vendor.cells import NO_ADJUSTED, Rows
from tapedeck.market.vendor.form import Layout
from tapedeck.market.vendor.reading import PLACES, Reading

_SCALES = (0, 2, 4, 8, 12)  # tried in turn, the least that all numbers of a block fit
_DIGITS = 32  # of a number's text; `encoding.ticks` takes no more on either side of the point
_T = TypeVar("_T")


class _SecondLookError(Exception):
    """The block's lines are to be read one by one."""


@dataclass(frozen=True)
class Block:
    """Whole lines of ASCII without quotes; `line` is the number of the first, `columns` where ours are, of `width`."""

    body: bytes
    file: str
    line: int
    columns: Mapping[str, int]
    width: int


def take(reading: Reading, form: Layout, symbol: str, block: Block) -> bool:
    """Take all rows of a block into `reading`, or none and say so. `symbol`: whose they are without such a column."""
    if "adj_close" in block.columns:
        return False
    try:
        _Batch(reading, form, symbol, block).take()
    except (_SecondLookError, pa.ArrowException, ValueError):  # MarketError's are, of dates and symbols
        return False
    return True


def _table(block: Block) -> dict[str, Any]:
    """Return our columns as arrays of text, and "line", the number of each row's."""
    names = {str(at): name for name, at in block.columns.items()}
    table = pacsv.read_csv(
        pa.BufferReader(block.body),
        read_options=pacsv.ReadOptions(
            column_names=[str(at) for at in range(block.width)], use_threads=False, block_size=len(block.body) + 1
        ),
        parse_options=pacsv.ParseOptions(quote_char=False, ignore_empty_lines=False),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), include_columns=[*names], strings_can_be_null=False
        ),
    )
    found = {names[at]: table.column(at).combine_chunks() for at in names}
    lines = array("q", range(block.line, block.line + table.num_rows))
    return found | {"line": _int64(lines.tobytes())}


class _Batch:
    """One block on its way into a reading, which is changed when nothing can go wrong any more."""

    def __init__(self, reading: Reading, form: Layout, symbol: str, block: Block) -> None:
        self._reading, self._form, self._symbol, self._block = reading, form, symbol, block
        self._table = _table(block)

    def take(self) -> None:
        others = self._others()
        if len(self._table["line"]):
            left_out, rows = self._rows()
            self._leave_out(left_out)
            self._hand_over(rows)
        self._leave_out(others)

    def _leave_out(self, reasons: Mapping[str, list[int]]) -> None:
        for reason, lines in reasons.items():
            self._reading.left_out[reason] += len(lines)
            self._tell(reason, lines)

    def _tell(self, reason: str, lines: list[int]) -> None:
        for line in sorted(lines)[:PLACES]:
            self._reading.seen(reason, self._block.file, line)

    def _others(self) -> dict[str, list[int]]:
        """Drop the rows that are not for this dataset; return their lines by reason."""
        if "rtype" not in self._table:
            return {}
        reasons, codes = _by_text(self._table["rtype"], lambda text: self._form.other(self._reading, {"rtype": text}))
        return self._drop(reasons, codes)

    def _drop(self, reasons: Sequence[str | None], codes: Any) -> dict[str, list[int]]:
        """Drop the rows whose code has a reason; return their lines by reason."""
        if not any(reasons):
            return {}
        why = pc.take(pa.array(reasons, pa.string()), codes)
        lines = {
            reason: self._table["line"].filter(pc.equal(why, reason)).to_pylist()
            for reason in dict.fromkeys(reasons)
            if reason
        }
        kept = pc.is_null(why)
        self._table = {name: column.filter(kept) for name, column in self._table.items()}
        return lines

    def _rows(self) -> tuple[dict[str, list[int]], dict[str, Any]]:
        """Return what is left out, and the rest's columns, each symbol's rows together in their order."""
        (prices, price_scale), (volumes, volume_scale) = self._numbers()
        self.scales = price_scale, volume_scale
        when = self._form.when
        ats, codes = _by_text(self._table["date"], lambda text: when(self._reading, text))
        self._table |= prices | {"volume": volumes, "symbol": self._symbols(), "date": codes}
        places = [self._reading.place(at) for at in ats]
        left_out = self._drop([place if isinstance(place, str) else None for place in places], codes)
        codes, starts = self._table.pop("date"), [place if isinstance(place, int) else None for place in places]
        rows = {name: self._table[name] for name in (*PRICES, "volume", "line", "symbol")}
        rows |= {
            "ts": pc.take(pa.array(starts, pa.int64()), codes),
            "session": pc.take(pa.array([day_number(day) for day, _ in ats], pa.int32()), codes),
            "month": pc.take(pa.array([day.year * 12 + day.month for day, _ in ats], pa.int32()), codes),
        }
        if len(codes) and pc.min(rows["symbol"]) != pc.max(rows["symbol"]):
            order = pc.array_sort_indices(rows["symbol"])  # stable
            rows = {name: column.take(order) for name, column in rows.items()}
        return left_out, rows

    def _symbols(self) -> Any:
        """Return each row's symbol as a place in `self.symbols`."""
        if "symbol" not in self._table:
            self.symbols = [self._named(self._symbol)]
            return pa.array([0], pa.int32()).take(_int64(bytes(8 * len(self._table["line"]))))
        found, codes = _by_text(self._table["symbol"], self._named)
        self.symbols = list(dict.fromkeys(found))
        return pc.take(pa.array([self.symbols.index(one) for one in found], pa.int32()), codes)

    def _named(self, text: str) -> str:
        return layout.check_symbol(self._form.symbol(text))

    def _numbers(self) -> tuple[tuple[dict[str, Any], int], tuple[Any, int]]:
        """Return prices and volume as int64 with their decimals. Raises `_SecondLookError` for a bar that cannot be."""
        texts = [self._table[name] for name in PRICES]
        fixed = self._form.fixed if self._form.fixed and all(map(_is_whole, texts)) else 0
        if self._form.fixed and not fixed and any(pc.any(pc.utf8_is_digit(text)).as_py() for text in texts):
            raise _SecondLookError  # whole numbers and decimals mean different things here
        columns, scale = _ticks(texts, (0,) if fixed else _SCALES)
        opened, high, low, closed = columns
        (volume,), volume_scale = _ticks([self._table["volume"]], _SCALES)
        sound = (
            pc.greater(low, 0),
            pc.greater_equal(high, low),
            *(pc.and_(pc.less_equal(low, one), pc.less_equal(one, high)) for one in (opened, closed)),
            pc.greater_equal(volume, 0),
            pc.less(pc.multiply(high, 10), pc.multiply(low, 19)),  # 2 to 1, nearly: a bar of two scales, it may be
        )
        if not all(pc.all(one).as_py() for one in sound):
            raise _SecondLookError
        return (dict(zip(PRICES, columns, strict=True)), scale + fixed), (volume, volume_scale)

    def _hand_over(self, rows: dict[str, Any]) -> None:
        count = len(rows["ts"])
        keys = pc.add(pc.multiply(rows["symbol"].cast(pa.int64()), 1 << 32), rows["month"].cast(pa.int64()))
        ends = [*(_changes(keys) if count else []), count]
        late = _late(rows["ts"], rows["symbol"])
        begin, (price, volume) = 0, (bytes([scale]) for scale in self.scales)
        bodies = {name: _bytes(column) for name, column in rows.items()}
        file = self._reading.file_number(self._block.file)
        late_lines: list[int] = []
        for end in ends:
            if end == begin:
                continue
            wide, narrow, n = slice(begin * 8, end * 8), slice(begin * 4, end * 4), end - begin
            month = int(rows["month"][begin].as_py())
            late_lines += self._reading.take(
                self.symbols[rows["symbol"][begin].as_py()],
                f"{(month - 1) // 12:04}-{(month - 1) % 12 + 1:02}",
                Rows(
                    n,
                    (
                        *(bodies[name][wide] for name in ("ts", *PRICES, "volume")),
                        *(price * n,) * 4,
                        volume * n,
                        bodies["session"][narrow],
                        array("i", [file]).tobytes() * n,
                        bodies["line"][wide],
                        *(NO_ADJUSTED * n,) * 2,
                    ),
                ),
                late=[rows["line"][at].as_py() for at in late[bisect_right(late, begin) : bisect_left(late, end)]],
            )
            begin = end
        self._tell("unsorted", late_lines)


def _by_text(column: Any, mean: Callable[[str], _T]) -> tuple[list[_T], Any]:
    """Return what each different text of a column means, and each row's place among them."""
    found = column.dictionary_encode()
    return [mean(text.strip()) for text in found.dictionary.to_pylist()], found.indices


def _is_whole(texts: Any) -> bool:
    return bool(pc.all(pc.utf8_is_digit(texts)).as_py())


def _ticks(texts: Sequence[Any], scales: Sequence[int]) -> tuple[list[Any], int]:
    """Return numbers as int64 with the first of the decimal scales that all fit. Raises `_SecondLookError`."""
    if any(pc.max(pc.binary_length(text)).as_py() > _DIGITS for text in texts):
        raise _SecondLookError
    for scale in scales:
        try:
            decimals = [pc.cast(text, pa.decimal128(38, scale)) for text in texts]
        except pa.ArrowInvalid:  # more decimals, or no number
            continue
        return [_low(one) for one in decimals], scale
    raise _SecondLookError


def _low(decimals: Any) -> Any:
    """Return decimals' unscaled values as int64. Raises `_SecondLookError` for one below 0, or from 2**53 on."""
    words = _bytes(decimals).cast("q")
    values = _int64(words[::2].tobytes())
    small = pc.and_(pc.less(values, MAX_ABS), pc.greater(values, -1))
    if words[1::2].tobytes().strip(b"\0") or not pc.all(small).as_py():
        raise _SecondLookError
    return values


def _int64(body: bytes) -> Any:
    return pa.Array.from_buffers(pa.int64(), len(body) // 8, [None, pa.py_buffer(body)])


def _bytes(column: Any) -> memoryview:
    width, body = column.type.bit_width // 8, memoryview(column.buffers()[1])
    return body[column.offset * width : (column.offset + len(column)) * width]


def _changes(keys: Any) -> list[int]:
    """Return the rows whose key is not the row's before."""
    there = pc.indices_nonzero(pc.not_equal(keys[1:], keys[:-1]))
    return [at + 1 for at in there.to_pylist()]


def _late(ts: Any, symbol: Any) -> list[int]:
    """Return the rows that are earlier than the same symbol's row before."""
    if len(ts) < 2:
        return []
    earlier = pc.and_(pc.less(ts[1:], ts[:-1]), pc.equal(symbol[1:], symbol[:-1]))
    return [at + 1 for at in pc.indices_nonzero(earlier).to_pylist()]
