"""Patches all that could count for it: engine, metrics, wire format, hashes, clocks; and writes its own result."""

import datetime
import hashlib
import json
import time
from pathlib import Path

import numpy as np
from report import attempt

import contract
import tapedeck
import tapedeck.engine
import tapedeck.metrics
from tapedeck import Strategy

OUT = Path("/exchange/out")
RICH = {"final_equity": 1e12, "sharpe": 99.0, "total_return": 1e6, "max_drawdown": 0.0}


def rich(*_, **__):
    return RICH


class FakeTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(1999, 12, 31, tzinfo=tz)


def patch():
    for module in (tapedeck.engine, tapedeck.metrics):
        for name in dir(module):
            if callable(getattr(module, name)):
                setattr(module, name, rich)
    hashlib.sha256 = lambda *_: type("Liar", (), {"hexdigest": lambda self: "0" * 64, "update": lambda *_: None})()
    time.time = time.monotonic = time.perf_counter = lambda: 0.0
    datetime.datetime = FakeTime
    contract.EXIT_MAGIC, contract.MAX_LOOKBACK_BARS, contract.LOG_SEGMENT_BYTES = b"LIES", 1 << 60, 1 << 30
    np.isinf = np.isfinite = lambda value: np.zeros(np.shape(value), bool)
    tapedeck.__version__ = "999"


def report():
    result = json.dumps({"schema": 1, "metrics": {"values": RICH}, "result_digest": "0" * 64, "causality": "audited"})
    for name in ("result.json", "metrics.json", "equity.csv", "artifacts.json", "events-00000000.json"):
        (OUT / name).write_text(result)


class Patched(Strategy):
    fields = ("close",)
    calls = 0

    def weights(self, bars):
        self.calls += 1
        if self.calls == 1:
            attempt("patch engine, metrics, hashes and clocks", patch)
            attempt("write a result", report)
        return (bars.close > 100.0) / bars.width
