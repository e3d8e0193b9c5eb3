"""Hands in, as its decisions, a link to a file of the sidecar's."""

import time
from pathlib import Path

from report import attempt

from tapedeck import Strategy

OUT = Path("/exchange/out")


class LinkedDecisions(Strategy):
    fields = ("close",)

    def weights(self, bars):
        attempt("a link as decisions", lambda: (OUT / "decisions-000000.bin").symlink_to("/opt/tapedeck/contract.py"))
        time.sleep(2)  # the sidecar has looked by then
        raise RuntimeError("nobody looked")
