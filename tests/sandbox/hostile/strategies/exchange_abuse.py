"""Plays with the files that cross the line: decides early, changes what is sealed, says what it should not, litters."""

import os
import pickle
import time
from pathlib import Path

from report import attempt

from tapedeck import Strategy

OUT = Path("/exchange/out")
SIZES = (22, 21, 20, 22, 22, 21)  # sessions of the six months


class Bomb:
    """Kills the process that unpickles it."""

    def __reduce__(self):
        return os.kill, (0, 9)


def write(name, body):
    (OUT / f".{name}").write_bytes(body)
    (OUT / f".{name}").rename(OUT / name)


class ExchangeAbuse(Strategy):
    fields = ("close",)
    chunk = -1

    def weights(self, bars):
        self.chunk += 1
        if self.chunk == 0:
            attempt("decide on chunks 1 to 5 early", self.early)
            attempt("decide under wrong names", self.misname)
            attempt("a second hello", lambda: write("hello.bin", b"TDK1" + bytes(12)))
            attempt("orders, requests and acknowledgements", self.invent)
            attempt("a pickle that kills who opens it", self.pickle)
            attempt("thousands of files", self.litter)
        else:
            attempt(f"change the sealed decisions {self.chunk - 1}", lambda: self.rewrite(self.chunk - 1))
            attempt(f"the sealed decisions {self.chunk - 1} are still read", lambda: self.keep(self.chunk - 1))
        return (bars.close > 100.0) / bars.width

    @staticmethod
    def early():
        for index in range(1, 6):
            write(f"decisions-{index:06}.bin", os.urandom(SIZES[index] * 3 * 8))

    @staticmethod
    def misname():
        for name in (
            "decisions-00000.bin",
            "decisions-0000000.bin",
            "DECISIONS-000000.BIN",
            "decisions-000000.bin ",
            "decisions-999999.bin",
            "decisions--00001.bin",
            "decisions-\u0660\u0660\u0660\u0660\u0660\u0660.bin",
        ):
            write(name, os.urandom(SIZES[0] * 3 * 8))

    @staticmethod
    def invent():
        for name in ("stop", "run.json", "orders-000000.bin", "request-000000", "checkpoint.bin", "state.json"):
            write(name, os.urandom(64))

    @staticmethod
    def pickle():
        for name in ("state-000000.bin", "state.pickle", "checkpoint.pkl", "failure.pickle", "hello.pickle"):
            write(name, pickle.dumps(Bomb()))

    @staticmethod
    def litter():
        for number in range(3_000):
            (OUT / f"litter-{number}").touch()

    @staticmethod
    def rewrite(index):
        write(f"decisions-{index:06}.bin", os.urandom(SIZES[index] * 3 * 8))

    @staticmethod
    def keep(index):
        """Wait a little: who takes a sealed name a second time takes it now."""
        time.sleep(0.05)
        return None if (OUT / f"decisions-{index:06}.bin").exists() else "taken"
