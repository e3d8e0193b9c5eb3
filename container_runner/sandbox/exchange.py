"""The strategy's side of the shared folders (names and formats: `contract`): polls `in`, writes `out` by rename."""

from __future__ import annotations

import itertools
import json
import mmap
import os
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import contract
from tapedeck.decisions import to_bytes


@dataclass(frozen=True)
class Chunk:
    """Bars to decide on: the last `rows` rows of each array, after `history` rows before them. Arrays are read-only."""

    index: int
    rows: int
    history: int
    arrays: dict[str, NDArray[Any]]
    actions: list[tuple[int, int, int, float]]


class Exchange:
    """Both folders, as the strategy's process sees them."""

    def __init__(self, inside: Path = Path(contract.IN), outside: Path = Path(contract.OUT)) -> None:
        self._in = inside
        self._out = outside
        self._replay = next(n for n in itertools.count() if not (inside / contract.replay(n + 1)).exists())
        self._first = 0  # number of this pass' first chunk
        self._last: tuple[str, int] | None = None  # the last decisions: name, descriptor

    def run(self) -> contract.Run:
        """Wait for and return what to run."""
        self._wait("run.json")
        run: contract.Run = json.loads((self._in / "run.json").read_bytes())
        if self.replaying:
            asked: contract.Replay = json.loads((self._in / contract.replay(self._replay)).read_bytes())
            self._first = asked["first"]
            return {**run, "chunks": asked["chunks"]}
        return run

    @property
    def replaying(self) -> bool:
        """Whether this process decides again what an earlier one has decided."""
        return self._replay > 0

    def source(self, name: str) -> Path:
        """Return where the submitted file lies."""
        return self._in / "source" / name

    def hello(self, history: int) -> None:
        """Say that the strategy is loaded and how many bars of history it wants."""
        self._put("hello.bin", contract.HELLO.pack(contract.HELLO_MAGIC, contract.HELLO_VERSION, history))

    def chunks(self, count: int) -> Iterator[Chunk]:
        """Yield the chunks as they are handed in; fewer than `count` when the sidecar says stop."""
        for index in range(self._first, self._first + count):
            if not self._wait(contract.chunk_header(index)):
                return
            self._empty_the_last()
            yield self._map(index)

    def decide(self, chunk: Chunk, weights: NDArray[np.float64]) -> None:
        """Hand over the decisions on a chunk's own rows, shape (rows, symbols)."""
        self._hand_over(chunk, to_bytes(weights))

    def order(self, chunk: Chunk, claim: bytes, orders: bytes) -> None:
        """Hand over the orders of a chunk after what they are claimed to have led to."""
        self._hand_over(chunk, claim + orders)

    def fail(self, failure: contract.Failure) -> None:
        """Say why the strategy failed."""
        body = json.dumps(failure, allow_nan=False).encode()
        if len(body) > contract.FAILURE_BYTES:
            body = json.dumps({**failure, "traceback": ""}, allow_nan=False).encode()
        self._put("failure.json", body)

    def wait_for_replay(self) -> bool:
        """Wait until the sidecar wants the run decided again, in another process, or nothing more: then False."""
        return self._wait(contract.replay(self._replay + 1))

    def _wait(self, name: str) -> bool:
        """Return True once `in/name` is there, False when the sidecar says stop instead."""
        pause = contract.POLL_FIRST_S
        while not (self._in / name).exists():
            if (self._in / "stop").exists():
                return False
            time.sleep(pause)
            pause = min(pause * 1.5, contract.POLL_LAST_S)
        return True

    def _hand_over(self, chunk: Chunk, body: bytes) -> None:
        name = contract.decisions(chunk.index)
        self._last = name, self._write(name, body)

    def _empty_the_last(self) -> None:
        """Empty the decisions that were taken by now: gVisor keeps files that are gone, and their memory, for long."""
        if self._last is not None:
            (name, file), self._last = self._last, None
            if not (self._out / name).exists():
                os.ftruncate(file, 0)
            os.close(file)

    def _release(self, index: int) -> None:
        """Give a chunk back that nobody looks at any more, for the same reason."""
        with suppress(OSError):
            (self._out / contract.released(index)).touch()

    def _map(self, index: int) -> Chunk:
        header: contract.ChunkHeader = json.loads((self._in / contract.chunk_header(index)).read_bytes())
        with (self._in / contract.chunk_data(index)).open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        weakref.finalize(data, self._release, index).atexit = False
        arrays = {
            spec["name"]: np.ndarray(spec["shape"], spec["dtype"], buffer=data, offset=spec["offset"], order="F")
            for spec in header["arrays"]
        }
        return Chunk(header["index"], header["rows"], header["lookback"], arrays, header["actions"])

    def _put(self, name: str, body: bytes) -> None:
        os.close(self._write(name, body))

    def _write(self, name: str, body: bytes) -> int:
        """Write a file that appears whole; return a descriptor of it."""
        temporary = self._out / f"{name}.tmp"
        with temporary.open("wb") as file:
            file.write(body)
            kept = os.dup(file.fileno())
        temporary.rename(self._out / name)
        return kept
