"""The two tiers and the room they share: encoded months as S3 has them, decoded years for sidecars to read.

Decoded bars take eight times the bytes of encoded ones, so the encoded tier keeps a month long after the year that was
made of it had to go: up to a quarter of the room is its own. Past the limit, 80 % of the quota or of the disk, the
least recently used file of the tier that is over its share leaves first.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from threading import Event, Lock

from cache import encoded
from cache.counts import Counts
from cache.shelf import Shelf
from tapedeck.market import gridded

FILL = 0.8
_ENCODED_SHARE = 0.25
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class Tiers:
    """`encoded` and `decoded` below `folder`; `quota` in bytes, None: the folder's disk, what others use counted."""

    def __init__(self, folder: Path, quota: int | None, counts: Counts) -> None:
        self._folder, self._quota, self._counts = folder, quota, counts
        self.encoded = Shelf(folder, encoded.name, encoded.check, counts)
        self.decoded = Shelf(folder, gridded.path, gridded.check, counts)
        self._room = Lock()
        self._promised = 0  # bytes that are being written

    def load(self) -> None:
        """Take in what is there."""
        for shelf in (self.encoded, self.decoded):
            shelf.load()

    def check(self, stop: Event) -> None:
        """Check all that `load` took in, until `stop`."""
        for shelf in (self.decoded, self.encoded):
            shelf.check_all(stop)

    def keep(self, shelf: Shelf, digest: str, body: bytes) -> bool:
        """Write a file after making room for it; say whether it is there. A full or read-only disk is counted."""
        for _ in range(2):
            if not self._promise(len(body)):
                break
            try:
                shelf.put(digest, body)
            except OSError as error:
                if error.errno not in _NO_SPACE:
                    break
                self._free(len(body) + self._held() // 8)  # the disk is fuller than the quota says
            else:
                return True
            finally:
                with self._room:
                    self._promised -= len(body)
        self._counts.add(full=1)
        return False

    def limit(self) -> int:
        """Return how many bytes may be in use."""
        return int(FILL * (self._quota if self._quota is not None else self._disk()[0]))

    def _promise(self, size: int) -> bool:
        """Make room for a file that is then written; say whether there is any."""
        with self._room:
            limit = self.limit()
            while self._used() + self._promised + size > limit:
                if not self._evict(limit):
                    return False
            self._promised += size
        return True

    def _free(self, size: int) -> None:
        with self._room:
            target = self._held() - size
            while self._held() > target and self._evict(self._held()):
                pass

    def _evict(self, limit: int) -> bool:
        """Let the file go that is to leave first; say whether there was one."""
        over = self.encoded.held > _ENCODED_SHARE * limit
        first, second = (self.encoded, self.decoded) if over else (self.decoded, self.encoded)
        gone = first.remove_oldest() or second.remove_oldest()
        self._counts.add(evicted=int(gone))
        return gone

    def _held(self) -> int:
        return self.encoded.held + self.decoded.held

    def _used(self) -> int:
        return self._held() if self._quota is not None else self._disk()[1]

    def _disk(self) -> tuple[int, int]:
        """Return the disk's size and use in bytes."""
        disk = os.statvfs(self._folder)
        return disk.f_blocks * disk.f_frsize, (disk.f_blocks - disk.f_bfree) * disk.f_frsize
