"""What arrives: a CSV, a factor or map file, a LEAN zip, or a zip of a tree of such files."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from tapedeck.market.errors import DatasetNameError
from tapedeck.market.layout import Dataset
from tapedeck.market.vendor import derive, lean, plain
from tapedeck.market.vendor.problems import TooManyProblemsError
from tapedeck.market.vendor.reading import Reading

MAX_BYTES = 2**30  # unpacked, all members together
MAX_MEMBERS = 20_000
_FOLDERS: dict[str, Callable[[Reading, str, str, Iterable[str]], None]] = {
    "factor_files": lean.read_factors,
    "map_files": lean.read_map,
}
_LEAN_BARS = {"daily": "1d", "hour": "1h", "minute": "1m"}


class _TooLargeError(Exception):
    """The drop unpacks to more than is taken."""


def read(dataset: Dataset, path: str, body: bytes) -> Reading:
    """Return what a dropped file says; bad content is its `problems`, never an exception.

    `path` is the file's name below `incoming/{dataset}/`; names and first characters tell the formats apart.
    """
    reading = Reading(dataset)
    try:
        _Opener(reading).open(PurePosixPath(path), path, body)
    except TooManyProblemsError:
        pass  # they stand in the reading
    except _TooLargeError as error:
        reading.problems.add(path, None, "size", str(error))
    reading.close()
    if not reading.problems.count:
        _derive(reading)
    return reading


def _derive(reading: Reading) -> None:
    for symbol, series in reading.series.items():
        closes = series.adjusted_closes() if symbol not in reading.actions else []
        if closes:
            reading.actions[symbol] = derive.from_adjusted(symbol, closes)


class _Opener:
    """Opens a file or the members of a zip, one zip deep in another, within `MAX_BYTES`."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._room = MAX_BYTES

    def open(self, path: PurePosixPath, shown: str, body: bytes, depth: int = 0) -> None:
        problems = self._reading.problems
        try:
            if path.suffix.lower() == ".zip" and depth < 2:
                self._zip(path, shown, body, depth)
            elif path.suffix.lower() == ".csv":
                self._text(path, shown, io.BytesIO(body), in_zip=depth > 0)
            else:
                problems.add(shown, None, "format", "is neither a .csv nor a .zip of such")
        except DatasetNameError as error:
            problems.add(shown, None, "name", str(error))
        except (UnicodeDecodeError, csv.Error) as error:
            problems.add(shown, None, "text", f"does not read as CSV in UTF-8: {error}")
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError) as error:
            problems.add(shown, None, "zip", f"does not unpack: {error}")

    def _zip(self, path: PurePosixPath, shown: str, body: bytes, depth: int) -> None:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) > MAX_MEMBERS:
                raise _TooLargeError(f"more than {MAX_MEMBERS:,} files in a zip")
            for member in sorted(members, key=lambda one: one.filename):
                name = PurePosixPath(member.filename)
                if name.suffix.lower() not in (".csv", ".zip") or self._other_bar(name):
                    self._reading.left_out["files that hold no bars of this dataset"] += 1
                    continue
                self.open(name, f"{shown}/{member.filename}", self._unpack(archive, member), depth + 1)

    def _unpack(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
        with archive.open(member) as file:
            body = file.read(self._room + 1)
        self._room -= len(body)
        if self._room < 0:
            raise _TooLargeError(f"unpacks to more than {MAX_BYTES:,} bytes: drop it in parts")
        return body

    def _other_bar(self, name: PurePosixPath) -> bool:
        """Say whether LEAN's folder names another bar than the dataset's: a whole tree may be dropped for each."""
        bars = {_LEAN_BARS[part] for part in name.parts[:-1] if part in _LEAN_BARS}
        return bool(bars) and self._reading.dataset.bar not in bars

    def _text(self, path: PurePosixPath, shown: str, file: io.BytesIO, *, in_zip: bool) -> None:
        lines = io.TextIOWrapper(file, "utf-8-sig", newline="")
        folder = _FOLDERS.get(path.parent.name)
        if folder:
            folder(self._reading, shown, path.stem, lines)
        elif in_zip and file.getvalue()[:1].isdigit():
            lean.read_bars(self._reading, shown, path.name, lines)
        else:
            plain.read(self._reading, shown, path.stem, lines)
