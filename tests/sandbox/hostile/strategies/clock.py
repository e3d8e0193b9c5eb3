"""Moves the machine's clock."""

import ctypes
import time

from report import attempt, call

from tapedeck import Strategy

PAST = (ctypes.c_long * 2)(1_000_000_000, 0)


class Clock(Strategy):
    fields = ("close",)

    def weights(self, bars):
        attempt("clock_settime", lambda: time.clock_settime(time.CLOCK_REALTIME, 1e9))
        attempt("settimeofday", lambda: call(164, PAST, None))
        attempt("adjtimex", lambda: call(159, ctypes.create_string_buffer(256)))
        attempt("clock_adjtime", lambda: call(305, 0, ctypes.create_string_buffer(256)))
        return bars.close * 0
