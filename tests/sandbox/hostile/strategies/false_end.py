"""Says in the launcher's name that it was drained, which would be retried for nothing, and took all there is."""

import time
from pathlib import Path

from report import attempt

import contract
from tapedeck import Strategy

OUT = Path("/exchange/out")
MOST = (1 << 64) - 1
FORGED = contract.EXIT.pack(contract.EXIT_MAGIC, 15, MOST, MOST)


class FalseEnd(Strategy):
    fields = ("close",)

    def weights(self, bars):
        attempt("a false end", lambda: (OUT / "exit.bin").write_bytes(FORGED))
        time.sleep(2)  # the sidecar has looked by then
        raise RuntimeError("nobody looked")
