"""What the node keeps of a container's own output: the first part of it, whatever it prints."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import IO

LIMIT_BYTES = 4 << 20


class ContainerLog:
    """A file that takes stdout and stderr of one container, and of the ones that replace it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        path.touch()

    def follow(self, pipe: IO[bytes]) -> None:
        """Drain a pipe on a thread of its own until it ends; what is over the limit is read and thrown away."""
        thread = threading.Thread(target=self._drain, args=(pipe,), name=f"log {self._path.name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """Wait for the pipes' ends; a process left behind with one does not hold this up for long."""
        for thread in self._threads:
            thread.join(timeout=2)
        self._threads.clear()

    def _drain(self, pipe: IO[bytes]) -> None:
        with pipe:
            while data := pipe.read(65536):
                with self._lock, self._path.open("ab") as log:
                    log.write(data[: max(0, LIMIT_BYTES - log.tell())])
