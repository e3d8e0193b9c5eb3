"""Many rows of a table at once, where nothing in them asks for a second look.

A block of lines is taken whole by a few passes of Arrow over its columns, or not at all: where a number does not
parse, a date is none, a price cannot be, or a bar holds two scales, its lines are read one by one, and what is wrong is
told with its line. Both ways come to the same (`tests/unit/test_vendor_batch.py`).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from tapedeck.market import layout
from tapedeck.market.calendar import day_number
from tapedeck.market.encoding import PRICES
from tapedeck.market.vendor.cells import NO_ADJUSTED, Rows
from tapedeck.market.vendor.columns import SCALES, SecondLookError, by_text, changes, int64, is_whole, late, raw, ticks
from tapedeck.market.vendor.form import Layout
from tapedeck.market.vendor.reading import OFF_GRID, PLACES, Reading


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
    except (SecondLookError, pa.ArrowException, ValueError):  # MarketError's are, of dates and symbols
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
    return found | {"line": int64(lines.tobytes())}


class _Batch:
    """One block on its way into a reading, which is changed when nothing can go wrong any more."""

    def __init__(self, reading: Reading, form: Layout, symbol: str, block: Block) -> None:
        self._reading, self._form, self._symbol, self._block = reading, form, symbol, block
        self._table = _table(block)
        self._named: list[str] = []  # the symbols
        self._scales = 0, 0  # decimals of prices and volume
        self._price = ""  # one of them, as written

    def take(self) -> None:
        """Take all rows. Raises `SecondLookError`, ArrowException or ValueError before anything is taken."""
        others = self._others()
        if len(self._table["line"]):
            left_out, rows = self._rows()
            self._form.price(self._price)  # which may mind how the file's other blocks write theirs
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
        reasons, codes = by_text(self._table["rtype"], lambda text: self._form.other(self._reading, {"rtype": text}))
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
        self._scales = price_scale, volume_scale
        when = self._form.when
        ats, codes = by_text(self._table["date"], lambda text: when(self._reading, text))
        self._table |= prices | {"volume": volumes, "symbol": self._symbols(), "date": codes}
        places = [self._reading.place(at) for at in ats]
        if OFF_GRID in places:
            raise SecondLookError
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
        """Return each row's symbol as a place in `self._named`."""
        column = self._table.get("symbol")
        if column is None:
            column = pa.repeat(pa.scalar(self._symbol), len(self._table["line"]))
        found, codes = by_text(column, lambda text: layout.check_symbol(self._form.symbol(text)))
        self._named = list(dict.fromkeys(found))  # two texts may mean one
        places = {name: at for at, name in enumerate(self._named)}
        return pc.take(pa.array([places[name] for name in found], pa.int32()), codes)

    def _numbers(self) -> tuple[tuple[dict[str, Any], int], tuple[Any, int]]:
        """Return prices and volume as int64 with their decimals. Raises `SecondLookError` for a bar that cannot be."""
        texts = [self._table[name] for name in PRICES]
        fixed = self._form.fixed if self._form.fixed and all(map(is_whole, texts)) else 0
        if self._form.fixed and not fixed and any(pc.any(pc.utf8_is_digit(text)).as_py() for text in texts):
            raise SecondLookError  # whole numbers and decimals mean different things here
        columns, scale = ticks(texts, (0,) if fixed else SCALES)
        self._price = texts[0][0].as_py()
        opened, high, low, closed = columns
        (volume,), volume_scale = ticks([self._table["volume"]], SCALES)
        sound = (
            pc.greater(low, 0),
            pc.greater_equal(high, low),
            *(pc.and_(pc.less_equal(low, one), pc.less_equal(one, high)) for one in (opened, closed)),
            pc.greater_equal(volume, 0),
            pc.less(pc.multiply(high, 10), pc.multiply(low, 19)),  # 2 to 1, nearly: a bar of two scales, it may be
        )
        if not all(pc.all(one).as_py() for one in sound):
            raise SecondLookError
        return (dict(zip(PRICES, columns, strict=True)), scale + fixed), (volume, volume_scale)

    def _hand_over(self, rows: dict[str, Any]) -> None:
        """Give the rows to the reading, those of a symbol and month that follow each other together."""
        count = len(rows["ts"])
        keys = pc.add(pc.multiply(rows["symbol"].cast(pa.int64()), 1 << 32), rows["month"].cast(pa.int64()))
        ends = [*(changes(keys) if count else []), count]
        behind = late(rows["ts"], rows["symbol"])
        begin, (price, volume) = 0, (bytes([scale]) for scale in self._scales)
        bodies = {name: raw(column) for name, column in rows.items()}
        file = self._reading.file_number(self._block.file)
        late_lines: list[int] = []
        for end in ends:
            if end == begin:
                continue
            wide, narrow, n = slice(begin * 8, end * 8), slice(begin * 4, end * 4), end - begin
            month = int(rows["month"][begin].as_py())
            late_lines += self._reading.take(
                self._named[rows["symbol"][begin].as_py()],
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
                late=[
                    rows["line"][at].as_py() for at in behind[bisect_right(behind, begin) : bisect_left(behind, end)]
                ],
            )
            begin = end
        self._tell("unsorted", late_lines)


def _within(places: list[int], begin: int, end: int) -> list[int]:
    """Return those of the ascending places that lie between both."""
    return places[bisect_right(places, begin) : bisect_left(places, end)]
