"""What arrives: a table (CSV, alone, gzipped, in zstd; Parquet), a factor or map file, a zip or a tree of such."""

from __future__ import annotations

import csv
import gzip
import io
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from tapedeck.market.errors import DatasetNameError
from tapedeck.market.layout import Dataset
from tapedeck.market.ranged import S3Object
from tapedeck.market.vendor import binance, databento, derive, lean, members, parquet, plain, polygon, tabular
from tapedeck.market.vendor.form import Layout, bare
from tapedeck.market.vendor.problems import TooManyProblemsError
from tapedeck.market.vendor.reading import HELD_ROWS, BadRows, Reading
from tapedeck.market.vendor.source import Room, TooLargeError, TooLongError, UnpackError, head, metered, zstandard

MAX_BYTES = 2**30  # unpacked, all members together
MAX_MEMBERS = 20_000
_IN_MEMORY = 64 * 2**20  # of a zip in a zip
_MEMBERS = (".csv", ".gz", ".parquet", ".zip", ".zst")
_PACKED: dict[str, Callable[[BinaryIO], BinaryIO]] = {
    ".gz": lambda file: cast(BinaryIO, gzip.GzipFile(fileobj=file)),
    ".zst": zstandard,
}
_FOLDERS: dict[str, Callable[[Reading, str, str, Iterable[str]], None]] = {
    "factor_files": lean.read_factors,
    "map_files": lean.read_map,
    "universes": members.read,
}
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError, gzip.BadGzipFile),
    UnpackError,
)
_LEAN_BARS = {"daily": "1d", "hour": "1h", "minute": "1m"}
_LEAN_MARKETS = {"equity": "XNYS", "crypto": "24/7"}  # by calendar


def read(
    dataset: Dataset,
    path: str,
    body: bytes | BinaryIO,
    *,
    bad_rows: BadRows = "reject",
    max_bytes: int | None = None,
    held_rows: int = HELD_ROWS,
    until: float | None = None,
) -> Reading:
    """Return what a dropped file says; bad content is its `problems`, never an exception.

    `path` is the file's name below `incoming/{dataset}/`; names and first characters tell the formats apart. `body` is
    its bytes, or a stream that can seek. `max_bytes` (default `MAX_BYTES`) is how much it may unpack to, `until` (of
    `time.monotonic`) how long reading may take; past `held_rows` rows are spilled to a temporary file, so that memory
    does not grow with the drop.
    """
    reading = Reading(dataset, bad_rows, held_rows)
    file = io.BytesIO(body) if isinstance(body, bytes) else body
    try:
        _Opener(reading, Room(max_bytes or MAX_BYTES, until)).open(PurePosixPath(path), path, file)
        reading.close()
    except TooManyProblemsError:
        pass  # they stand in the reading
    except TooLargeError as error:
        reading.problems.add(path, None, "size", str(error))
    except TooLongError as error:
        reading.problems.add(path, None, "time", str(error))
    if not reading.problems.count:
        _derive(reading)
    return reading


def _derive(reading: Reading) -> None:
    for symbol, series in reading.series.items():
        closes = series.adjusted_closes() if symbol not in reading.actions else []
        if closes:
            reading.actions[symbol] = derive.from_adjusted(symbol, closes)


def _layout(header: list[str]) -> Layout:
    names = set(map(bare, header))
    if "windowstart" in names:
        return polygon.LAYOUT
    return databento.layout() if "tsevent" in names else plain.LAYOUT


class _Opener:
    """Opens a file or the members of a zip, one zip deep in another, within `room`."""

    def __init__(self, reading: Reading, room: Room) -> None:
        self._reading = reading
        self._room = room

    def open(self, path: PurePosixPath, shown: str, file: BinaryIO, depth: int = 0) -> None:
        problems = self._reading.problems
        try:
            self._open(path, shown, file, depth)
        except DatasetNameError as error:
            problems.add(shown, None, "name", str(error))
        except (UnicodeDecodeError, csv.Error) as error:
            problems.add(shown, None, "text", f"does not read as CSV in UTF-8: {error}")
        except _DAMAGED as error:
            problems.add(shown, None, "zip", f"does not unpack: {error}")
        except parquet.ParquetError as error:
            problems.add(shown, None, "parquet", str(error))

    def _open(self, path: PurePosixPath, shown: str, file: BinaryIO, depth: int) -> None:
        suffix = path.suffix.lower()
        if suffix == ".zip" and depth < 2:
            self._zip(shown, file, depth)
        elif suffix in _PACKED and path.with_suffix("").suffix.lower() == ".csv":
            self._text(path.with_suffix(""), shown, metered(_PACKED[suffix](file), self._room))
        elif suffix == ".csv" or (suffix == ".txt" and path.parent.name == "universes"):
            self._text(path, shown, self._unpacked(file, depth), in_zip=depth > 0)
        elif suffix == ".parquet":
            self._parquet(path, shown, file)
        else:
            problem = "is none of .csv, .csv.gz, .csv.zst, .parquet and a .zip of such"
            self._reading.problems.add(shown, None, "format", problem)

    def _unpacked(self, file: BinaryIO, depth: int) -> io.BufferedReader:
        """Return a stream that counts what it gives; a zip's members are counted as they leave the zip."""
        return io.BufferedReader(cast(io.RawIOBase, file)) if depth else metered(file, self._room)

    def _zip(self, shown: str, file: BinaryIO, depth: int) -> None:
        with _seeking(file) as whole, zipfile.ZipFile(whole) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) > MAX_MEMBERS:
                raise TooLargeError(f"more than {MAX_MEMBERS:,} files in a zip")
            for member in sorted(members, key=lambda one: one.filename):
                name = PurePosixPath(member.filename)
                listed = name.parent.name == "universes"
                if not (listed or name.suffix.lower() in _MEMBERS) or self._other_bar(name):
                    self._reading.left_out["files that hold no bars of this dataset"] += 1
                    continue
                with archive.open(member) as packed, metered(cast(BinaryIO, packed), self._room) as unpacked:
                    self._member(name, f"{shown}/{member.filename}", unpacked, depth + 1)

    def _member(self, name: PurePosixPath, shown: str, unpacked: io.BufferedReader, depth: int) -> None:
        if name.suffix.lower() != ".zip":
            self.open(name, shown, unpacked, depth)
            return
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as whole:  # a zip is read from its end
            shutil.copyfileobj(unpacked, whole)
            whole.seek(0)
            self.open(name, shown, cast(BinaryIO, whole), depth)

    def _parquet(self, path: PurePosixPath, shown: str, file: BinaryIO) -> None:
        with _on_disk(file) as whole, parquet.as_csv(whole) as rows:
            self._text(path, shown, metered(rows, self._room))

    def _other_bar(self, name: PurePosixPath) -> bool:
        """Say whether LEAN's folders name another bar or market than the dataset's: a tree may be dropped for each."""
        dataset, parts = self._reading.dataset, name.parts[:-1]
        bars = {_LEAN_BARS[part] for part in parts if part in _LEAN_BARS}
        markets = {_LEAN_MARKETS[part] for part in parts if part in _LEAN_MARKETS}
        return any(named and own not in named for named, own in ((bars, dataset.bar), (markets, dataset.calendar)))

    def _text(self, path: PurePosixPath, shown: str, file: io.BufferedReader, *, in_zip: bool = False) -> None:
        digit = head(file)[:1].isdigit()
        folder = _FOLDERS.get(path.parent.name)
        klines = binance.NAME.fullmatch(path.name)
        if not (folder or klines or (in_zip and digit)):
            tabular.read(self._reading, shown, path.stem, file, _layout)
            return
        with io.TextIOWrapper(file, "utf-8-sig", newline="") as lines:
            if folder:
                folder(self._reading, shown, path.stem, lines)
            elif klines:
                binance.read(self._reading, shown, path.name, lines)
            else:
                lean.read_bars(self._reading, shown, path.name, lines)


@contextmanager
def _seeking(file: BinaryIO) -> Iterator[BinaryIO]:
    """Give a stream in which seeking costs nothing: of a zip in S3, a copy."""
    if not isinstance(getattr(file, "raw", None), S3Object):
        yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.seek(0)
        yield cast(BinaryIO, copy)


@contextmanager
def _on_disk(file: BinaryIO) -> Iterator[Path]:
    """Give a path to the stream's bytes: its own where it is a file, else a copy's."""
    if isinstance(file, io.BufferedReader) and isinstance(file.raw, io.FileIO) and isinstance(file.name, str):
        yield Path(file.name)
        return
    with tempfile.NamedTemporaryFile(suffix=".parquet") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        yield Path(copy.name)
