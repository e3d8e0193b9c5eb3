"""CSV with a header, one bar a row: read in blocks of lines, each at once (`batch`) or, where it must be, by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from tapedeck.market import encoding, layout
from tapedeck.market.errors import DatasetNameError, EncodingError
from tapedeck.market.vendor import batch
from tapedeck.market.vendor.bar import Rounded, Tick
from tapedeck.market.vendor.bookmark import Line
from tapedeck.market.vendor.form import Fields, Layout, bare, decimal
from tapedeck.market.vendor.reading import Reading
from tapedeck.market.vendor.source import skip

BLOCK = 4 * 2**20  # bytes of lines
_LINE = 2**20  # bytes of one
_TOO_LONG = f"a line has more than {_LINE:,} bytes"
_MARK = b"\xef\xbb\xbf"  # that some begin UTF-8 with


def read(
    reading: Reading,
    file: str,
    symbol: str,
    raw: io.BufferedReader,
    choose: Callable[[list[str]], Layout],
    *,
    begin: Line | None = None,
) -> Line | None:
    """Read a CSV into `reading`; `symbol` is taken where the file has no such column. Faults become its problems.

    Return None, or the row to `begin` with another time where the reading has no more time.
    """
    mark = raw.read(len(_MARK)) if raw.peek(len(_MARK)).startswith(_MARK) else b""
    lines = _Lines(raw, len(mark))
    try:
        header = lines.header()
        table = _table(reading, file, symbol, header, choose(header))
        if table and begin:
            lines.go_to(begin, table)
        return lines.give(table) if table else None
    except (csv.Error, UnicodeDecodeError) as error:
        reading.problems.add(file, lines.line, "text", f"does not read as CSV in UTF-8: {error}")
    return None


class _Lines:
    """A CSV's lines; `line` is the number of the next, from 1. Of the stream `offset` bytes were read."""

    def __init__(self, raw: io.BufferedReader, offset: int) -> None:
        self._raw, self._offset = raw, offset
        self._rest: Iterator[list[str]] | None = None  # row by row to the end: there are quotes
        self.line = 1

    def header(self) -> list[str]:
        """Return the first row that is not empty."""
        first = self._whole(b"")
        while first and not first.strip(b"\r\n"):
            self._pass(first)
            first = self._whole(b"")
        if _plain(first):
            self._pass(first)
            return next(csv.reader([first.decode()]), [])
        self._rest = self._rows(chain([first], self._others()))
        return next(self._rest, [])

    def go_to(self, begin: Line, table: _Table) -> None:
        """Pass over what was read before."""
        if begin.price is not None:
            table.form.price(begin.price)
        skip(self._raw, begin.offset - self._offset)
        self._offset, self.line = begin.offset, begin.number
        self._rest = self._rows(self._others()) if begin.by_row else None

    def give(self, table: _Table) -> Line | None:
        """Hand all other rows to a table, as long as there is time; return where it stopped."""
        while self._rest is None and (block := self._whole(self._raw.read(BLOCK))):
            if not _plain(block):
                self._rest = self._rows(chain(io.BytesIO(block), self._others()))
            elif block.isascii() and table.take(block, self.line):
                self._pass(block)
            else:
                for row in self._rows(io.BytesIO(block)):
                    table.row(self.line - 1, row)
            if not table.reading.go_on():
                return self._here(table)
        for row in self._rest or ():
            table.row(self.line - 1, row)
            if not table.reading.go_on():
                return self._here(table)
        return None

    def _here(self, table: _Table) -> Line:
        return Line(self._offset, self.line, self._rest is not None, table.form.seen())

    def _pass(self, lines: bytes) -> None:
        self.line += lines.count(b"\n")
        self._offset += len(lines)

    def _whole(self, begin: bytes) -> bytes:
        """Return bytes up to the end of the line that they stop in."""
        return begin if begin.endswith(b"\n") else begin + next(self._others(), b"")

    def _others(self) -> Iterator[bytes]:
        """Yield the stream's lines."""
        while line := self._raw.readline(_LINE):
            if len(line) == _LINE and not line.endswith(b"\n"):
                raise csv.Error(_TOO_LONG)
            yield line

    def _rows(self, lines: Iterable[bytes]) -> Iterator[list[str]]:
        """Yield the rows that are not empty; `line` is the one after each."""
        before = self.line - 1
        rows = csv.reader(self._texts(lines), strict=True)
        while True:
            self.line = before + rows.line_num + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            self.line = before + rows.line_num + 1
            if row:
                yield row

    def _texts(self, lines: Iterable[bytes]) -> Iterator[str]:
        for line in lines:
            for text in io.StringIO(line.decode(), newline=""):  # a carriage return alone ends a line too
                if len(text) >= _LINE and not text.endswith(("\n", "\r")):
                    raise csv.Error(_TOO_LONG)
                self._offset += len(text.encode())
                yield text


def _plain(body: bytes) -> bool:
    """Say whether a row is a line: there are no quotes, and no carriage return but at a line's end."""
    return b'"' not in body and (b"\r" not in body or body.count(b"\r") == body.count(b"\r\n"))


@dataclass(frozen=True)
class _Table:
    """Where a file's rows go; `columns`: where ours are, of `width`."""

    reading: Reading
    form: Layout
    columns: Mapping[str, int]
    width: int
    symbol: str
    file: str

    def take(self, block: bytes, line: int) -> bool:
        """Take whole lines at once; False when they are to be read row by row."""
        lines = batch.Block(block, self.file, line, self.columns, self.width)
        return batch.take(self.reading, self.form, self.symbol, lines)

    def row(self, line: int, row: list[str]) -> None:
        """Take a row that ends on this line."""
        if len(row) != self.width:
            fault = f"{len(row)} columns, the header has {self.width}"
            self.reading.problems.add(self.file, line, "columns", fault)
            return
        fields = {"symbol": self.symbol} | {name: row[at].strip() for name, at in self.columns.items()}
        _take(self.reading, self.form, fields, self.file, line)


def _table(reading: Reading, file: str, symbol: str, header: list[str], form: Layout) -> _Table | None:
    """Return where the rows go; None, and a problem, when the header does not have what it needs."""
    columns = {form.names[name]: at for at, name in enumerate(map(bare, header)) if name in form.names}
    missing = [name for name in form.needed if name not in columns]
    if missing or len(columns) != sum(bare(name) in form.names for name in header):
        fault = f"no column {', '.join(missing)}" if missing else "a column twice"
        reading.problems.add(file, 1, "columns", f"the header {','.join(header)[:200]!r} has {fault}")
        return None
    return _Table(reading, form, columns, len(header), symbol, file)


def _take(reading: Reading, form: Layout, row: Fields, file: str, line: int) -> None:
    other = form.other(reading, row)
    if other:
        reading.leave_out(other, file, line)
        return
    try:
        named = layout.check_symbol(form.symbol(row["symbol"]))
        at = form.when(reading, row["date"])
        opened, high, low, close = (_tick(name, row[name], form.price) for name in encoding.PRICES)
        volume = _tick("volume", row["volume"], decimal)
        adjusted = Rounded.of(row["adj_close"]) if row.get("adj_close") else None
        if adjusted and adjusted.value <= 0:
            raise EncodingError(f"adj_close is {row['adj_close']}: prices are above 0")
    except EncodingError as error:
        reading.problems.add(file, line, "number", str(error))
    except DatasetNameError as error:
        reading.problems.add(file, line, "symbol", str(error))
    except ValueError as error:
        reading.problems.add(file, line, "date", str(error))
    else:
        reading.bar(named, at, (opened, high, low, close, volume), file=file, line=line, adjusted=adjusted)


def _tick(name: str, text: str, price: Callable[[str], Tick]) -> Tick:
    try:
        return price(text)
    except EncodingError as error:
        raise EncodingError(f"{name}: {error}") from None
