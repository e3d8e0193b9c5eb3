"""Takes memory by many processes, each below its own limit, so that only the pod's limit can stop it."""

import os
import time

from tapedeck import Strategy


class MemoryChildren(Strategy):
    fields = ("close",)

    def weights(self, bars):
        print("ATTEMPTED all of the pod's memory by children", flush=True)
        time.sleep(0.5)  # a line that is printed is shipped a moment later
        for _ in range(8):
            if os.fork() == 0:
                kept = []
                while True:
                    kept.append(b"x" * (16 << 20))
        time.sleep(60)
