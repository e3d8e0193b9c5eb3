"""CSV with a header, one bar a row: read in blocks of lines, each at once (`batch`) or, where it must be, by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from tapedeck.market import encoding, layout
from tapedeck.market.errors import DatasetNameError, EncodingError
from tapedeck.market.vendor import batch
from tapedeck.market.vendor.bar import Rounded, Tick
from tapedeck.market.vendor.form import Fields, Layout, bare, decimal
from tapedeck.market.vendor.reading import Reading

if TYPE_CHECKING:
    from typing_extensions import Buffer

BLOCK = 4 * 2**20  # bytes of lines
_LINE = 2**20  # bytes or characters of one
_MARK = b"\xef\xbb\xbf"  # that some begin UTF-8 with


def read(
    reading: Reading, file: str, symbol: str, raw: io.BufferedReader, choose: Callable[[list[str]], Layout]
) -> None:
    """Read a CSV into `reading`; `symbol` is taken where the file has no such column. Faults become its problems."""
    if raw.peek(len(_MARK)).startswith(_MARK):
        raw.read(len(_MARK))
    lines = _Lines(raw)
    try:
        header = lines.header()
        table = _table(reading, file, symbol, header, choose(header))
        if table:
            lines.give(table)
    except (csv.Error, UnicodeDecodeError) as error:
        reading.problems.add(file, lines.line, "text", f"does not read as CSV in UTF-8: {error}")


class _Lines:
    """A CSV's lines; `line` is the number of the next, from 1."""

    def __init__(self, raw: io.BufferedReader) -> None:
        self._raw: BinaryIO = raw
        self._rest: Iterator[list[str]] | None = None  # row by row to the end: there are quotes
        self.line = 1

    def header(self) -> list[str]:
        """Return the first row that is not empty."""
        first = self._whole(b"")
        while first and not first.strip(b"\r\n"):
            self.line += 1
            first = self._whole(b"")
        if _plain(first):
            self.line += 1
            return next(csv.reader([first.decode()]), [])
        self._rest = self._rows(_After(first, self._raw))
        return next(self._rest, [])

    def give(self, table: _Table) -> None:
        """Hand all other rows to a table."""
        while self._rest is None and (block := self._whole(self._raw.read(BLOCK))):
            if not _plain(block):
                self._rest = self._rows(_After(block, self._raw))
            elif not (block.isascii() and table.take(block, self.line)):
                for row in self._rows(io.BytesIO(block)):
                    table.row(self.line - 1, row)
            else:
                self.line += block.count(b"\n")
        for row in self._rest or ():
            table.row(self.line - 1, row)

    def _whole(self, begin: bytes) -> bytes:
        """Return bytes up to the end of the line that they stop in."""
        if begin.endswith(b"\n"):
            return begin
        end = self._raw.readline(_LINE)
        if len(end) == _LINE and not end.endswith(b"\n"):
            raise csv.Error(f"a line has more than {_LINE:,} bytes")
        return begin + end

    def _rows(self, raw: io.BytesIO | _After) -> Iterator[list[str]]:
        """Yield the rows that are not empty; `line` is the one after each."""
        before = self.line - 1
        with io.TextIOWrapper(cast(BinaryIO, raw), "utf-8", newline="") as text:
            rows = csv.reader(_short(text), strict=True)
            while True:
                self.line = before + rows.line_num + 1
                try:
                    row = next(rows)
                except StopIteration:
                    return
                self.line = before + rows.line_num + 1
                if row:
                    yield row


def _plain(body: bytes) -> bool:
    """Say whether a row is a line: there are no quotes, and no carriage return but at a line's end."""
    return b'"' not in body and (b"\r" not in body or body.count(b"\r") == body.count(b"\r\n"))


def _short(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(_LINE):
        if len(line) == _LINE and not line.endswith(("\n", "\r")):
            raise csv.Error(f"a line has more than {_LINE:,} characters")
        yield line


class _After(io.RawIOBase):
    """Bytes that were read already, and then the rest of a stream."""

    def __init__(self, begin: bytes, rest: BinaryIO) -> None:
        self._begin, self._rest = memoryview(begin), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        given = self._begin[: len(view)] or self._rest.read(len(view))
        self._begin = self._begin[len(given) :]
        view[: len(given)] = given
        return len(given)


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
