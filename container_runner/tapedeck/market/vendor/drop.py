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
from typing import BinaryIO, NoReturn, cast

from tapedeck.market.errors import DatasetNameError
from tapedeck.market.layout import Dataset
from tapedeck.market.pause import PauseError
from tapedeck.market.ranged import S3Object
from tapedeck.market.vendor import binance, databento, lean, members, parquet, plain, polygon, tabular
from tapedeck.market.vendor.bookmark import Bookmark, Line
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
) -> Reading:
    """Return what a dropped file says; bad content is its `problems`, never an exception.

    `path` is the file's name below `incoming/{dataset}/`; names and first characters tell the formats apart. `body` is
    its bytes, or a stream that can seek. `max_bytes` (default `MAX_BYTES`) is how much it may unpack to; past
    `held_rows` rows are spilled to a temporary file, so that memory does not grow with the drop.
    """
    reading = Reading(dataset, bad_rows, held_rows)
    go_on(reading, path, body, max_bytes=max_bytes)
    return reading


def go_on(
    reading: Reading,
    path: str,
    body: bytes | BinaryIO,
    *,
    max_bytes: int | None = None,
    until: float | None = None,
) -> None:
    """Read a drop on from where the reading stands, to its end. Raises PauseError when the reading has no more time.

    Cut in any places it comes to the same reading. `until` (of `time.monotonic`) is when a file that is read whole,
    without a pause in it, has taken too long: that is a problem then.
    """
    file = io.BytesIO(body) if isinstance(body, bytes) else body
    try:
        if not reading.bookmark.whole:
            room = Room(max_bytes or MAX_BYTES, until)
            _Opener(reading, room).open(PurePosixPath(path), path, file)
            reading.bookmark = Bookmark(taken=max(room.taken, reading.bookmark.taken), whole=True)
        reading.close()
    except TooManyProblemsError:
        pass  # they stand in the reading
    except TooLargeError as error:
        reading.problems.add(path, None, "size", str(error))
    except TooLongError as error:
        reading.problems.add(path, None, "time", str(error))


def _layout(header: list[str]) -> Layout:
    names = set(map(bare, header))
    if "windowstart" in names:
        return polygon.LAYOUT
    return databento.layout() if "tsevent" in names else plain.LAYOUT


class _Opener:
    """Opens a file or the members of a zip, one zip deep in another, within `room`; first the one at the bookmark."""

    def __init__(self, reading: Reading, room: Room) -> None:
        self._reading = reading
        self._room = room
        self._begin: Bookmark | None = reading.bookmark  # until it is reached
        self._members: tuple[int, ...] = ()  # where we are
        self._taken = 0  # before the file that is read now

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
            return
        begin = self._reached()
        if suffix in _PACKED and path.with_suffix("").suffix.lower() == ".csv":
            self._text(path.with_suffix(""), shown, metered(_PACKED[suffix](file), self._room), begin)
        elif suffix == ".csv" or (suffix == ".txt" and path.parent.name == "universes"):
            self._text(path, shown, self._unpacked(file, depth), begin, in_zip=depth > 0)
        elif suffix == ".parquet":
            with _on_disk(file) as whole, parquet.as_csv(whole) as rows:
                self._text(path, shown, metered(rows, self._room), begin)
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
            above = self._members
            for at, member in enumerate(sorted(members, key=lambda one: one.filename)):
                self._members = (*above, at)
                if self._was_read():
                    continue
                name = PurePosixPath(member.filename)
                if not self._is_ours(name):
                    self._reading.left_out["files that hold no bars of this dataset"] += 1
                    continue
                with archive.open(member) as packed, metered(cast(BinaryIO, packed), self._room) as unpacked:
                    self._member(name, f"{shown}/{member.filename}", unpacked, depth + 1)
                if not self._reading.go_on():
                    self._pause(Bookmark((*above, at + 1), None, self._room.taken))
            self._members = above

    def _was_read(self) -> bool:
        return self._begin is not None and self._members < self._begin.members[: len(self._members)]

    def _pause(self, at: Bookmark) -> NoReturn:
        self._reading.bookmark = at
        raise PauseError

    def _reached(self) -> Line | None:
        """Say where in the file that is read now to begin; from here on bytes are counted."""
        begin, self._begin = self._begin, None
        line = begin.line if begin else None
        if begin:
            self._room.taken = begin.taken - (line.offset if line else 0)
        self._taken = self._room.taken
        return line

    def _member(self, name: PurePosixPath, shown: str, unpacked: io.BufferedReader, depth: int) -> None:
        if name.suffix.lower() != ".zip":
            self.open(name, shown, unpacked, depth)
            return
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as whole:  # a zip is read from its end
            shutil.copyfileobj(unpacked, whole)
            whole.seek(0)
            self.open(name, shown, cast(BinaryIO, whole), depth)

    def _is_ours(self, name: PurePosixPath) -> bool:
        """Say whether a zip's member may hold what is wanted; hidden files, a Mac's for one, are the packer's own."""
        wanted = name.parent.name == "universes" or name.suffix.lower() in _MEMBERS
        return wanted and not name.name.startswith(".") and not self._other_bar(name)

    def _other_bar(self, name: PurePosixPath) -> bool:
        """Say whether LEAN's folders name another bar or market than the dataset's: a tree may be dropped for each."""
        dataset, parts = self._reading.dataset, name.parts[:-1]
        bars = {_LEAN_BARS[part] for part in parts if part in _LEAN_BARS}
        markets = {_LEAN_MARKETS[part] for part in parts if part in _LEAN_MARKETS}
        return any(named and own not in named for named, own in ((bars, dataset.bar), (markets, dataset.calendar)))

    def _text(
        self, path: PurePosixPath, shown: str, file: io.BufferedReader, begin: Line | None, *, in_zip: bool = False
    ) -> None:
        digit = head(file)[:1].isdigit()
        folder = _FOLDERS.get(path.parent.name)
        klines = binance.NAME.fullmatch(path.name)
        if not (folder or klines or (in_zip and digit)):
            if line := tabular.read(self._reading, shown, path.stem, file, _layout, begin=begin):
                self._pause(Bookmark(self._members, line, self._taken + line.offset))
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
