"""The record of who called what: each kind of call once, a file of JSON lines that several processes append to."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from pathlib import Path

from infra.local.front_door import Call


class Record:
    """Appends to the file at `path`; calls of the account's root, who deploys, are left out."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)  # one write a line, so that lines of two processes do not mix
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, call: Call) -> None:
        """Write down a call unless it is known."""
        if call.principal.endswith(":root"):
            return
        line = json.dumps(asdict(call), sort_keys=True)
        with self._lock:
            if line not in self._seen:
                self._seen.add(line)
                self._file.write(line.encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read(path: Path) -> list[Call]:
    """Return the calls recorded so far."""
    return [Call(**json.loads(line)) for line in dict.fromkeys(path.read_text().splitlines())]
