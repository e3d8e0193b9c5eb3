"""Says in the launcher's name that it was drained, which would be retried for nothing, and leaves a bad claim."""

import struct
import time
from pathlib import Path

from report import attempt

from tapedeck import Strategy

OUT = Path("/exchange/out")
CLAIM = '{"kind": %s, "message": NaN, "message": 1e400}' % ("[" * 15_000 + "]" * 15_000)


class FalseEnd(Strategy):
    fields = ("close",)

    def weights(self, bars):
        attempt("a deep claim", lambda: (OUT / "failure.json").write_text(CLAIM))
        attempt("a false end", lambda: (OUT / "exit.bin").write_bytes(struct.pack("<4si", b"EXIT", 15)))
        time.sleep(2)  # the sidecar has looked by then
        raise RuntimeError("nobody looked")
