"""Asks for more memory than a run has, in one piece."""

from report import attempt

from tapedeck import Strategy


class Memory(Strategy):
    fields = ("close",)

    def weights(self, bars):
        attempt("8 GiB at once", lambda: len(bytearray(8 << 30)))
        return bars.close * 0
