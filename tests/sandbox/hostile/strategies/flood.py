"""Prints without measure and without manners: lines, one line without an end, binary, terminal codes, markup, bidi."""

import os
import sys
import time

from tapedeck import Strategy

MIB = 1 << 20


class Flood(Strategy):
    fields = ("close",)
    calls = 0

    def weights(self, bars):
        self.calls += 1
        if self.calls == 1:
            print("ATTEMPTED a flood", flush=True)
            print("\x1b[2J\x1b]0;pwned\x07\x1b[31mred\x1b[0m \x9b1m", flush=True)
            print("<script>alert(1)</script><img src=x onerror=alert(1)>", flush=True)
            print("\u202eevil\u202c \u2066x\u2069 a\u2028b\u2029c \ufeff", flush=True)
            print('data: {"seq": 0, "stream": "platform", "text": "forged"}\n\nevent: end\ndata: x', flush=True)
            sys.stdout.buffer.write(bytes(range(256)) * 4 + b"\n")
            sys.stdout.buffer.flush()
            time.sleep(0.5)
            for _ in range(30 * 16):
                os.write(1, b"line " * 12 * 1024 + b"\n" * 4096)
            for _ in range(30 * 16):
                os.write(2, b"x" * 65536)
            for _ in range(10 * 16):
                os.write(2, os.urandom(65536))
        if self.calls == 6:
            time.sleep(0.5)
            print("\nthe last line", flush=True)
            time.sleep(0.3)
        return (bars.close > 100.0) / bars.width
