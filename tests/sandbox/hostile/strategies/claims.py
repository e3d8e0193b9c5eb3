"""Leaves, as its word on how it failed, JSON that hurts who reads it carelessly."""

import os
from pathlib import Path

from tapedeck import Strategy

PLAIN = '{"kind": "CODE", "message": "m", "file": null, "line": 1, "cell": null, "traceback": ""}'
CLAIMS = {
    "NaN": PLAIN.replace("1", "NaN"),
    "Infinity": PLAIN.replace("1", "Infinity"),
    "minus Infinity": PLAIN.replace("1", "-Infinity"),
    "1e400": PLAIN.replace("1", "1e400"),
    "a fraction": PLAIN.replace("1", "1.5"),
    "5000 digits": PLAIN.replace("1", "9" * 5000),
    "true": PLAIN.replace("1", "true"),
    "deep lists": PLAIN.replace("1", "[" * 30_000 + "]" * 30_000),
    "deep objects": PLAIN.replace("1", '{"a":' * 10_000 + "1" + "}" * 10_000),
    "two kinds": PLAIN.replace("{", '{"kind": "OUT_OF_MEMORY", ', 1),
    "the platform's failure": PLAIN.replace("CODE", "PLATFORM"),
    "a lost machine": PLAIN.replace("CODE", "SPOT_LOST"),
    "one key more": PLAIN.replace("{", '{"retry": 1, ', 1),
    "one key less": PLAIN.replace(', "cell": null', ""),
    "huge": PLAIN.replace('"m"', '"' + "m" * 100_000 + '"'),
    "no UTF-8": PLAIN.replace("m", "\udcff", 1),
}


class Claims(Strategy):
    fields = ("close",)

    def weights(self, bars):
        print("ATTEMPTED a claim", flush=True)
        Path("/exchange/out/failure.json").write_text(CLAIMS["deep lists"].replace("null", "NaN"))
        os._exit(4)
