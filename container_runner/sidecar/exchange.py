"""The trusted side of the folders that sidecar and strategy share (names and formats: `contract`).

`in` is ours alone to write. Everything in `out` is hostile: a name is opened without following links and without
waiting, must be a regular file with one link, and is read into our own memory, at most as many bytes as we asked for.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import contract

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_RETIRED = 64  # chunks whose memory can still be reclaimed; a strategy that keeps more pays for them itself
MAX_ENTRIES = 4096  # of `out` that one look takes in; more is the strategy's own loss

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class IrregularError(Exception):
    """A name in `out` is there but is not what the contract says."""


class Exit(NamedTuple):
    """What `exit.bin` claims: the wait status, the peak of resident bytes, CPU microseconds."""

    status: int
    peak: int
    cpu: int


class Exchange:
    """Both folders of one attempt."""

    def __init__(self, inside: Path, outside: Path) -> None:
        self._in = inside
        self._out = os.open(outside, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._retired: dict[int, int] = {}  # chunk -> descriptor of its arrays, whose name is gone

    def publish(self, name: str, parts: Iterable[ReadableBuffer]) -> None:
        """Write the parts to `in/name`; the name appears when all bytes are there."""
        target = self._in / name
        target.parent.mkdir(mode=0o755, exist_ok=True)
        temporary = target.with_name(target.name + ".tmp")
        with temporary.open("wb") as file:
            for part in parts:
                file.write(part)
        temporary.rename(target)

    def withdraw(self, name: str) -> None:
        """Remove `in/name` if it is there."""
        (self._in / name).unlink(missing_ok=True)

    def retire(self, index: int) -> None:
        """Take a chunk away. Who has it mapped keeps it, and so does gVisor for long after: see `reclaim`."""
        self.withdraw(contract.chunk_header(index))
        path = self._in / contract.chunk_data(index)
        self._retired[index] = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        path.unlink()
        if len(self._retired) > _RETIRED:
            os.close(self._retired.pop(min(self._retired)))

    def reclaim(self, *, everything: bool = False) -> None:
        """Empty the arrays that the strategy's process has given back; all of them once it is another process.

        Who gives back what it still reads, ends itself by SIGBUS.
        """
        for index in tuple(self._retired):
            name = contract.released(index)
            if everything or self._there(name):
                os.ftruncate(self._retired[index], 0)
                os.close(self._retired.pop(index))
                self.discard(name)

    def _there(self, name: str) -> bool:
        try:
            os.stat(name, dir_fd=self._out, follow_symlinks=False)
        except OSError:
            return False
        return True

    def take(self, name: str, limit: int) -> bytes | None:
        """Return the bytes of `out/name`, None when there is no such name.

        Raises `IrregularError` when it is no regular file with one link, is unreadable or holds over `limit` bytes.
        """
        try:
            fd = os.open(name, _READ, dir_fd=self._out)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise IrregularError(f"{name} cannot be opened: {error.strerror}") from error
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                raise IrregularError(f"{name} is not a regular file with one link")
            if found.st_size > limit:
                raise IrregularError(f"{name} holds {found.st_size} bytes, at most {limit} are taken")
            return _read(fd, limit)
        finally:
            os.close(fd)

    def discard(self, name: str) -> None:
        """Remove `out/name` if it can be removed; a folder of that name stays."""
        try:
            os.unlink(name, dir_fd=self._out)
        except OSError:
            return

    def log_segments(self) -> list[tuple[str, int, str]]:
        """Return (stream, sequence, name) of the log segments that wait, in order; every other name is passed over."""
        with os.scandir(self._out) as entries:
            names = [entry.name for entry in islice(entries, MAX_ENTRIES)]
        matches = (contract.LOG_NAME.fullmatch(name) for name in names)
        return sorted((m[1], int(m[2]), m[0]) for m in matches if m)

    def exit_status(self) -> int | None:
        """Return the wait status that the launcher left, None before it did or for a false file."""
        ended = self.exit()
        return ended.status if ended else None

    def exit(self) -> Exit | None:
        """Return all that the launcher left, None before it did or for a false file."""
        try:
            body = self.take("exit.bin", contract.EXIT.size)
        except IrregularError:
            return None
        if body is None or len(body) != contract.EXIT.size:
            return None
        magic, *said = contract.EXIT.unpack(body)
        return Exit(*said) if magic == contract.EXIT_MAGIC else None


def _read(fd: int, limit: int) -> bytes:
    parts = []
    left = limit + 1
    while left > 0 and (part := os.read(fd, min(left, 1 << 24))):
        parts.append(part)
        left -= len(part)
    if left <= 0:
        raise IrregularError(f"a file grew past {limit} bytes while it was read")
    return b"".join(parts)
