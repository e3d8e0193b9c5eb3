"""Kills every process number there is but its own and its launcher's: whoever shares the machine must not feel it."""

import os
import signal

from report import attempt

from tapedeck import Strategy


class Killing(Strategy):
    fields = ("close",)

    def weights(self, bars):
        attempt("kill every other process", self.kill)
        attempt("see a process that is not ours", self.strangers)
        return bars.close * 0

    @staticmethod
    def kill():
        """Return whom it hit."""
        hit = []
        for pid in range(2, 33_000):
            if pid not in (os.getpid(), os.getppid()):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                hit.append(pid)
        return hit or None

    @staticmethod
    def strangers():
        return sorted({int(p) for p in os.listdir("/proc") if p.isdigit()} - {os.getpid(), os.getppid(), 1}) or None
