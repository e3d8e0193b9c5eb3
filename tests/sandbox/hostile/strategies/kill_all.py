"""Kills whatever it may: everybody, then the launcher, and last itself."""

import os
import signal
import time

from report import attempt

from tapedeck import Strategy


class KillAll(Strategy):
    fields = ("close",)

    def weights(self, bars):
        attempt("kill everybody", lambda: os.kill(-1, signal.SIGKILL))
        time.sleep(0.3)
        attempt("kill the launcher", lambda: os.kill(os.getppid(), signal.SIGKILL))
        time.sleep(0.3)
        attempt("kill pid 1", lambda: os.kill(1, signal.SIGKILL))
        time.sleep(0.3)
        attempt("stop the launcher", lambda: os.kill(os.getppid(), signal.SIGSTOP))
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)
