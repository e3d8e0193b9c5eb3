"""An honest strategy, and the place in it where a test puts its attack."""

from __future__ import annotations

HONEST = """
from tapedeck import Strategy
import os, sys, time, json, signal

OUT = sys.argv[2]
def path(index):
    return f"{OUT}/decisions-{index:06}.bin"

class Mine(Strategy):
    fields = ("close",)
    calls = 0
    def weights(self, bars):
        index, self.calls = self.calls, self.calls + 1
        # attack
        return (bars.close > 100.0) / bars.width
"""


def attack(*lines: str) -> str:
    """Return the strategy with these lines in it, run at every chunk."""
    return HONEST.replace("# attack", "\n        ".join(lines))
