"""A long-lived process of the stack: started, awaited until it says that it is ready, spoken to, ended by its pid."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_TAIL = 12
"""Lines of its log that a failure shows."""


class StartError(Exception):
    """A part of the stack did not start; the message says which, why, and where its log is."""


class Child:
    """Runs `command`, which speaks JSON, one object a line, on its standard streams; stderr is its log.

    Start it from a thread that lives as long as the stack: the kernel ends the child together with that thread, so that
    nothing is left even when the stack is killed.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *command],
                env=dict(os.environ if environment is None else environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin: IO[bytes] = self._process.stdin
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def answer(self, timeout_s: float) -> dict[str, Any]:
        """Return the next object that the process says; raises StartError when none comes in time."""
        try:
            said = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            raise StartError(f"{self.name} said nothing for {timeout_s:.0f} s; {self._told()}") from None
        if said is None:
            raise StartError(f"{self.name} left with code {self._process.wait()}; {self._told()}")
        return said

    def ask(self, question: object, timeout_s: float) -> dict[str, Any]:
        """Say one object and return the answer."""
        self._stdin.write(json.dumps(question).encode() + b"\n")
        self._stdin.flush()
        return self.answer(timeout_s)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask the process to end; after `timeout_s` it is killed."""
        if self.alive:
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        self._reader.join(timeout_s)
        self._stdin.close()

    def _read(self, stream: IO[bytes]) -> None:
        with stream, self.log.open("ab") as log:
            for line in stream:
                try:
                    said = json.loads(line)
                except ValueError:
                    log.write(line)
                    log.flush()
                else:
                    self._answers.put(said)
        self._answers.put(None)

    def _told(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-_TAIL:]
        return "\n".join([f"its log is {self.log}", *(f"  {line}" for line in lines)])
