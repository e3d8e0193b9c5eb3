"""Ends itself as a machine that is taken back would end it: such an end is tried again and counts for nothing."""

import os
import signal
import time

from tapedeck import Strategy


class OwnSigterm(Strategy):
    fields = ("close",)

    def weights(self, bars):
        print("ATTEMPTED to be taken for drained", flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
