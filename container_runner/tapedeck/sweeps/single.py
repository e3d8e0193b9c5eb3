"""The compiled pass for one symbol that keeps no record: equity at each session's close, and how many fills."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_double, c_int32, c_int64, c_void_p

import numpy as np
from numpy.typing import NDArray

from tapedeck import compiled
from tapedeck.engine import plan
from tapedeck.engine.inputs import Array, Block
from tapedeck.engine.settings import EngineSettings


class _Single(ctypes.Structure):
    _fields_ = [
        *((name, c_int64) for name in ("rows", "sessions", "fills")),
        *((name, c_void_p) for name in ("open", "close", "mark", "last", "equity", "weights", "flags")),
        *((name, c_double) for name in ("cash", "commission", "slippage", "credit")),
        *((name, c_int32) for name in ("at_fill", "fractional", "infinite")),
    ]


class Single:
    """One symbol's bars, prepared once; `run` is then a call for each trial. See `knows` for what it serves."""

    def __init__(self, block: Block, settings: EngineSettings) -> None:
        close = np.ascontiguousarray(block.fields["close"][:, 0])
        mark = plan.filled(close[:, None], np.full(1, np.nan))[:, 0]
        last = np.flatnonzero(np.diff(block.session, append=np.int32(2**31 - 1)) != 0)
        self.rows, self.sessions = len(close), len(last)
        self._kept = {
            "open": np.ascontiguousarray(block.fields["open"][:, 0]),
            "close": close,
            "mark": np.ascontiguousarray(mark),
            "last": last.astype(np.int64),
        }
        self._call = _Single(rows=self.rows, sessions=self.sessions, cash=settings.cash)
        for name, array in self._kept.items():
            setattr(self._call, name, array.ctypes.data)
        self._call.commission, self._call.slippage = settings.commission_bps / 10_000, settings.slippage_bps / 10_000
        self._call.credit = settings.leverage - 1.0
        self._call.at_fill, self._call.fractional = settings.size_at == "fill", settings.fractional
        library = compiled.library()
        if library is None:
            raise RuntimeError("the compiled pass was not built")
        library.single_pass.argtypes, library.single_pass.restype = [POINTER(_Single)], None
        self._pass = library.single_pass

    def run(self, decided: Array | NDArray[np.bool_], equity: Array) -> int | None:
        """Write equity at each session's close into `equity`, (sessions,); return the fills, None for infinite weights.

        `decided`: (rows,) weights, or booleans that stand for 1 and 0.
        """
        call = self._call
        flags = decided.dtype == np.bool_
        call.weights, call.flags = (None, decided.ctypes.data) if flags else (decided.ctypes.data, None)
        call.equity = equity.ctypes.data
        self._pass(call)
        return None if call.infinite else int(call.fills)


def knows(block: Block, settings: EngineSettings, actions: int) -> bool:
    """Return whether the pass serves: one symbol, costs in basis points, no splits or dividends, prices above zero."""
    built = compiled.library()
    if len(block.symbols) != 1 or actions or settings.rebalance != "change" or not settings.plain:
        return False
    below = any((block.fields[name] <= 0).any() for name in ("open", "close"))
    return built is not None and hasattr(built, "single_pass") and not below
