"""The engine: from target weights to fills and equity, chunk by chunk, the same to the byte however data is cut.

    state = start(symbols, EngineSettings(), splits, dividends)
    for block, targets in chunks:
        result = step(state, block, targets)      # fills, equity; the state carries over
    closing = finish(state)

A decision on bar t is sized by equity and close of t and fills at the open of t+1; a symbol without a bar at t+1 waits
for its next. A target trades when it differs from the last one that was not NaN. `books` states the arithmetic's order.
"""

from __future__ import annotations

from tapedeck.engine.core import Closing, StepResult, finish, step
from tapedeck.engine.fills import Fills, concat
from tapedeck.engine.settings import EngineError, EngineSettings
from tapedeck.engine.state import EngineState
from tapedeck.engine.state import new as start
from tapedeck.versions import ENGINE_VERSION

__all__ = [
    "ENGINE_VERSION",
    "Closing",
    "EngineError",
    "EngineSettings",
    "EngineState",
    "Fills",
    "StepResult",
    "concat",
    "finish",
    "start",
    "step",
]
