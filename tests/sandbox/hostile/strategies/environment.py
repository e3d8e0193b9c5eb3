"""Looks for credentials: its own environment, everybody else's, command lines and open descriptors."""

import os
from contextlib import suppress
from pathlib import Path

from report import attempt

from tapedeck import Strategy

WORDS = ("AWS", "TOKEN", "SECRET", "PASSWORD", "KEY", "BUCKET", "http://", "https://")

MINE = ("/exchange/in/chunk-000000.bin",)  # the bars, mapped


def found(text):
    return [word for word in WORDS if word in text.upper()] or None


class Environment(Strategy):
    fields = ("close",)

    def weights(self, bars):
        attempt("a secret in the environment", lambda: found(str(dict(os.environ))))
        attempt("the names in the environment", lambda: sorted(os.environ))
        parent = os.getppid()
        for name, pid in (("pid 1", 1), ("the parent", parent)):
            attempt(f"a secret in the environment of {name}", self.of(pid))
        attempt("the parent's memory", lambda: Path(f"/proc/{parent}/mem").read_bytes())
        attempt("a secret on a command line", lambda: found(" ".join(self.commands())))
        attempt("an open descriptor that is not its own", self.descriptors)
        return bars.close * 0

    @staticmethod
    def of(pid):
        return lambda: found(Path(f"/proc/{pid}/environ").read_text())

    @staticmethod
    def commands():
        return [path.read_text() for path in Path("/proc").glob("[0-9]*/cmdline")]

    @staticmethod
    def descriptors():
        seen = set()
        for fd in range(3, 1024):
            with suppress(OSError):
                seen.add(os.readlink(f"/proc/self/fd/{fd}"))
        return sorted(where for where in seen if where not in MINE) or None
