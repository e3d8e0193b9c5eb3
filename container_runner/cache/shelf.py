"""One tier of the cache: files named by the digest of what they hold, the least recently used known.

A file appears by rename, so that a name is a whole file, whenever the daemon is killed. What was there before the
daemon started is checked before it counts: at the first use, or by `check_all`, whichever comes first.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock

from cache.counts import Counts
from tapedeck.market.errors import EncodingError

_TEMPORARY = ".new-"


class Shelf:
    """Files below `root`; `name` gives a digest's path, `check` raises EncodingError or OSError for a harmed file."""

    def __init__(
        self, root: Path, name: Callable[[str], str], check: Callable[[Path, str], None], counts: Counts
    ) -> None:
        self._root, self._name, self._check, self._counts = root, name, check, counts
        self._sizes: OrderedDict[str, int] = OrderedDict()  # by digest, the least recently used first
        self._unchecked: set[str] = set()
        self._held = 0
        self._lock = Lock()

    @property
    def held(self) -> int:
        """The bytes of all files."""
        return self._held

    def __len__(self) -> int:
        return len(self._sizes)

    def load(self) -> None:
        """Take in what an earlier daemon left: in the order of its use, unchecked; half-written files go."""
        found = []
        for path in self._files():
            digest = path.name[:64]
            try:
                known = path == self.path(digest)
            except ValueError:
                known = False
            if known:
                status = path.lstat()
                found.append((status.st_mtime_ns, digest, status.st_size))
            else:
                path.unlink()
        for _, digest, size in sorted(found):
            self._add(digest, size)
            self._unchecked.add(digest)

    def check_all(self, stop: Event) -> None:
        """Check every file that was not checked yet, until `stop`."""
        for digest in tuple(self._unchecked):
            if stop.is_set():
                return
            self._sound(digest)

    def path(self, digest: str) -> Path:
        """Return where a digest's file lies, if it is there."""
        return self._root / self._name(digest)

    def has(self, digest: str) -> bool:
        """Say whether there is a file, sound or not."""
        return digest in self._sizes

    def use(self, digest: str) -> bool:
        """Say whether the file is there and sound; it is then the last to leave."""
        with self._lock:
            if digest not in self._sizes:
                return False
            self._sizes.move_to_end(digest)
        if not self._sound(digest):
            return False
        try:
            os.utime(self.path(digest))  # the order of use outlives the daemon
        except OSError:
            self.remove(digest)
            return False
        return True

    def doubt(self, digest: str) -> None:
        """Check the file again before its next use."""
        with self._lock:
            if digest in self._sizes:
                self._unchecked.add(digest)

    def put(self, digest: str, body: bytes) -> None:
        """Write a file, checked by the caller. Raises OSError."""
        path = self.path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_TEMPORARY)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body)
                os.fchmod(file.fileno(), 0o444)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
        self._add(digest, len(body))

    def remove(self, digest: str) -> None:
        """Let a file go; who has it open keeps it until it is done."""
        with self._lock:
            self._held -= self._sizes.pop(digest, 0)
            self._unchecked.discard(digest)
        with suppress(OSError):  # a disk that lets nothing go: the file is not given to anybody any more
            self.path(digest).unlink(missing_ok=True)

    def remove_oldest(self) -> bool:
        """Let the least recently used file go; say whether there was one."""
        with self._lock:
            digest = next(iter(self._sizes), None)
        if digest is None:
            return False
        self.remove(digest)
        return True

    def _add(self, digest: str, size: int) -> None:
        with self._lock:
            self._held += size - self._sizes.pop(digest, 0)
            self._sizes[digest] = size
            self._unchecked.discard(digest)

    def _sound(self, digest: str) -> bool:
        """Check a file that was not checked yet; a harmed one goes and is counted."""
        if digest not in self._unchecked:
            return True
        try:
            self._check(self.path(digest), digest)
        except (EncodingError, OSError):
            self._counts.add(corrupt=1)
            self.remove(digest)
            return False
        with self._lock:
            self._unchecked.discard(digest)
        return True

    def _files(self) -> Iterator[Path]:
        for folder, _, names in os.walk(self._root / self._name("0" * 64).split("/", 1)[0]):
            for name in names:
                path = Path(folder) / name
                if stat.S_ISREG(path.lstat().st_mode):
                    yield path
