"""Takes memory in pieces until there is none."""

from report import attempt

from tapedeck import Strategy


class MemoryBomb(Strategy):
    fields = ("close",)

    def weights(self, bars):
        attempt("nothing yet", lambda: None)
        print("ATTEMPTED all of the memory", flush=True)
        kept = []
        while True:
            kept.append(bytearray(1 << 28))
