"""Memory for blocks that is used again: a fresh page costs more than the bars that are copied into it.

What waits unused is the system's to take when memory is short, where the system can be told so.
"""

from __future__ import annotations

import mmap
import weakref
from contextlib import suppress
from threading import RLock

import numpy as np
from numpy.typing import NDArray

_HUGE = 2 << 20  # bytes of a huge page: arrays below are NumPy's own business
_FLAGS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


class Memory:
    """Gives tables, and takes their memory back when nobody holds them any more: at most `limit` bytes wait unused."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._free: list[mmap.mmap] = []
        self._lock = RLock()  # what takes memory may end an array, which gives its own back

    def table(self, rows: int, columns: int) -> NDArray[np.float64]:
        """Return a table (rows, columns), symbol-major, of any content."""
        cells = rows * columns
        if not self.limit or cells * 8 < _HUGE:
            return np.empty((rows, columns), order="F")
        buffer = self._take(cells * 8) or _fresh(cells * 8)
        whole = np.frombuffer(buffer, np.float64)  # of which every view holds, so that it ends with the last of them
        weakref.finalize(whole, self._give, buffer).atexit = False
        return whole[:cells].reshape(columns, rows).T

    @property
    def waiting(self) -> int:
        """The bytes that wait unused."""
        return sum(map(len, self._free))

    def _take(self, size: int) -> mmap.mmap | None:
        """Return the smallest buffer that is large enough but not by far; without one, what waits is given up."""
        with self._lock:
            fitting = [buffer for buffer in self._free if size <= len(buffer) <= 2 * size]
            found = min(fitting, key=len, default=None)
            if found is not None:
                self._free.remove(found)
            else:
                self._free.clear()
            return found

    def _give(self, buffer: mmap.mmap) -> None:
        with self._lock:
            if self.waiting + len(buffer) <= self.limit:
                _advise(buffer, "MADV_FREE")
                self._free.append(buffer)


BLOCKS = Memory(512 << 20)  # a process that knows what it is going to read sets the limit


def _fresh(size: int) -> mmap.mmap:
    buffer = mmap.mmap(-1, -(-size // _HUGE) * _HUGE, flags=_FLAGS)
    _advise(buffer, "MADV_HUGEPAGE")
    return buffer


def _advise(buffer: mmap.mmap, what: str) -> None:
    if (advice := getattr(mmap, what, None)) is not None:  # a system need not know it
        with suppress(OSError):
            buffer.madvise(advice)
