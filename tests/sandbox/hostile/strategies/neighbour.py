"""No attack: the run beside which all the others happen. It works, watches over what is its own, and is told to end."""

import os
import time
from pathlib import Path

import numpy as np

from tapedeck import Strategy

RELEASE = Path("/exchange/in/release")  # the test's word; nothing of the platform makes it
MINE = Path("/tmp/mine"), Path("/exchange/out/mine"), Path("/dev/shm/mine")


class Neighbour(Strategy):
    fields = ("close",)
    chunk = 0

    def weights(self, bars):
        if self.chunk == 0:
            self.secret = os.urandom(64)
            self.array = np.random.default_rng(1).random(1 << 20)
            self.sum = float(self.array.sum())
            for path in MINE:
                path.write_bytes(self.secret)
        self.chunk += 1
        if self.chunk == 6:
            print("OUTCOME ready: DONE", flush=True)
            while not RELEASE.exists():
                self.look()
                time.sleep(0.1)
        self.look()
        return (bars.close > 100.0) / bars.width

    def look(self):
        assert float(self.array.sum()) == self.sum, "my memory was changed"
        assert all(path.read_bytes() == self.secret for path in MINE), "my files were changed"
        assert sorted(p for p in os.listdir("/proc") if p.isdigit()) == sorted(str(pid) for pid in (1, os.getpid())), (
            "I am not alone"
        )
