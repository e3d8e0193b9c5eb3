"""A temporary file of packed blocks, whose bytes may outlive the process as pieces that lie elsewhere."""

from __future__ import annotations

import os
import struct
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from weakref import finalize

import pyarrow as pa

_COUNT = struct.Struct("<qq")  # of a block: bytes packed and unpacked
PIECE = 16 * 2**20  # bytes


@dataclass(frozen=True)
class Piece:
    """The file's bytes from `begin` to before `end`, as they lie elsewhere."""

    begin: int
    end: int
    version: str  # of the object that holds them


class Spill:
    """A temporary file of lz4-packed blocks, gone with the process; blocks may be read from several threads.

    `pieces`: what was written to it in other processes, one after the other from 0; `fetch` gets one when it is needed.
    """

    def __init__(self, pieces: Sequence[Piece] = (), fetch: Callable[[Piece], bytes] | None = None) -> None:
        self._file, path = tempfile.mkstemp(prefix="tapedeck-ingest-")
        Path(path).unlink()
        finalize(self, os.close, self._file)
        self.pieces = list(pieces)
        self.end = self.pieces[-1].end if self.pieces else 0
        self._fetch = fetch
        self._elsewhere = set(range(len(self.pieces)))
        self._begins = [piece.begin for piece in self.pieces]
        self._lock = Lock()

    def write(self, body: bytes) -> int:
        """Append a block; return where it stands."""
        packed = pa.compress(body, "lz4", asbytes=True)
        at = self.end
        self._put(at, _COUNT.pack(len(packed), len(body)) + packed)
        self.end = at + _COUNT.size + len(packed)
        return at

    def read(self, at: int) -> bytes:
        """Return a block."""
        packed, count = _COUNT.unpack(self._bytes(at, at + _COUNT.size))
        body = self._bytes(at + _COUNT.size, at + _COUNT.size + packed)
        return bytes(pa.decompress(body, count, "lz4", asbytes=True))

    def new(self) -> Iterator[tuple[int, int]]:
        """Yield begin and end of each piece of what was written here."""
        begin = self.pieces[-1].end if self.pieces else 0
        while begin < self.end:
            yield begin, min(begin + PIECE, self.end)
            begin += PIECE

    def cut(self, begin: int, end: int) -> bytes:
        """Return the file's bytes as they are."""
        return self._bytes(begin, end)

    def _bytes(self, begin: int, end: int) -> bytes:
        self._bring(begin, end)
        body = bytearray()
        while len(body) < end - begin:
            body += os.pread(self._file, end - begin - len(body), begin + len(body))
        return bytes(body)

    def _bring(self, begin: int, end: int) -> None:
        """Bring the pieces that hold these bytes to where they stood."""
        at = bisect_right(self._begins, begin) - 1
        while self._elsewhere and 0 <= at < len(self.pieces) and self.pieces[at].begin < end:
            with self._lock:
                if at in self._elsewhere:
                    assert self._fetch
                    self._put(self.pieces[at].begin, self._fetch(self.pieces[at]))
                    self._elsewhere.remove(at)
            at += 1

    def _put(self, at: int, body: bytes) -> None:
        left = memoryview(body)
        while left:
            done = os.pwrite(self._file, left, at)
            at, left = at + done, left[done:]
