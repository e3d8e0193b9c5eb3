"""Forks and starts threads until it is stopped, and then clears up, so that what comes after it can say so."""

import os
import signal
import threading
import time

from report import attempt

from tapedeck import Strategy

MOST = 90  # far over the limit, and harmless where there is none


class Processes(Strategy):
    fields = ("close",)

    def weights(self, bars):
        attempt("fork without end", self.fork)
        attempt("start threads without end", self.threads)
        return bars.close * 0

    @staticmethod
    def fork():
        children = []
        try:
            for _ in range(MOST):
                pid = os.fork()
                if pid == 0:
                    signal.pause()
                    os._exit(0)
                children.append(pid)
        finally:
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            for pid in children:
                os.waitpid(pid, 0)
        return f"{len(children)} children"

    @staticmethod
    def threads():
        stop, started = threading.Event(), []
        try:
            for _ in range(MOST):
                started.append(threading.Thread(target=stop.wait))
                started[-1].start()
        finally:
            stop.set()
            for thread in started:
                if thread.ident:
                    thread.join()
            time.sleep(0.2)  # the kernel's part of a thread ends a little later
        return f"{len(started)} threads"
