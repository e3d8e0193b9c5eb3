"""A .zip submission: one entry point (`strategy.py`, or the only .py at the top) and side files, all bounded."""

from __future__ import annotations

import io
import stat
import zlib
from typing import TYPE_CHECKING

from tapedeck.submission.errors import SubmissionError

if TYPE_CHECKING:
    import zipfile

MAX_FILES = 200
MAX_BYTES = 16 * 1024 * 1024  # unpacked
ENTRY = "strategy.py"


def unpack(name: str, body: bytes) -> dict[str, bytes]:
    """Return the archive's files by path; raises BAD_ARCHIVE for whatever is not a plain, bounded set of files."""
    import zipfile  # noqa: PLC0415 - every strategy's start would wait for it, and few are zips

    files: dict[str, bytes] = {}
    left = MAX_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            if len(members) > MAX_FILES:
                raise SubmissionError("BAD_ARCHIVE", f"{name} holds more than {MAX_FILES} files.")
            for info in members:
                _check(info, files)
                with archive.open(info) as member:
                    files[info.filename] = member.read(left + 1)  # what the directory claims is not believed
                left -= len(files[info.filename])
                if left < 0:
                    raise SubmissionError("TOO_LARGE", f"{name} unpacks to more than {MAX_BYTES:,} bytes.")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise SubmissionError("BAD_ARCHIVE", f"{name} cannot be unpacked: {error}.") from None
    return files


def entry_point(name: str, files: dict[str, bytes]) -> str:
    """Return the path of the file that holds the strategy; raises BAD_ARCHIVE when that is not clear."""
    if ENTRY in files:
        return ENTRY
    top = sorted(path for path in files if path.endswith(".py") and "/" not in path)
    if len(top) == 1:
        return top[0]
    have = f"its top level has {', '.join(top[:5])}" if top else "its top level has no .py file"
    raise SubmissionError("BAD_ARCHIVE", f"{name} has no clear entry point: name it {ENTRY} ({have}).")


def _check(info: zipfile.ZipInfo, seen: dict[str, bytes]) -> None:
    path = info.filename
    parts = path.split("/")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if any(part in ("", ".", "..") for part in parts) or "\\" in path or ":" in path or len(path) > 200:
        raise SubmissionError("BAD_ARCHIVE", f"{path[:100]!r} is no plain relative path.")
    if kind not in (0, stat.S_IFREG) or info.flag_bits & 0x1:
        raise SubmissionError("BAD_ARCHIVE", f"{path[:100]!r} is no plain file (a link, a device, or encrypted).")
    if path in seen:
        raise SubmissionError("BAD_ARCHIVE", f"{path[:100]!r} is there twice.")
