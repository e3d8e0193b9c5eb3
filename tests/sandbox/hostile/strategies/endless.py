"""Will not end: deaf to SIGTERM, with a child that left its session and goes on printing, and two loops."""

import os
import signal
import time

from tapedeck import Strategy


class Endless(Strategy):
    fields = ("close",)

    def weights(self, bars):
        print("ATTEMPTED to stay", flush=True)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                while True:
                    print("still here", flush=True)
                    time.sleep(0.05)
            os._exit(0)
        while True:
            pass
