"""S1 decided bar by bar in plain Python, with real orders and records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clock import report, timed
from benchmarks.s1 import bars
from tapedeck.bars import Bars
from tapedeck.engine import EngineSettings, order_state
from tapedeck.engine.state import actions
from tapedeck.market.block import Block
from tapedeck.on_bar import Player
from tapedeck.source import load
from tapedeck.strategy import create

STRATEGY = Path(__file__).parent / "crossover_on_bar.py"


def run(data: dict[str, np.ndarray], made: Any) -> tuple[float, int]:
    """Return final equity and fills."""
    fields = {name: data[name].reshape(-1, 1) for name in ("open", "high", "low", "close", "volume")}
    seen = Bars(symbols=("A",), ts=data["ts"], session=data["session"], fields=fields)
    state = order_state.new(("A",), EngineSettings(cash=bars.CASH))
    block = Block(("A",), data["ts"], data["session"], fields)
    step = Player(state, 0, made.on_bar).play(block, actions(("A",), [], []), seen).step
    return float(step.equity[-1]), len(step.fills)


def main() -> None:
    """Print one measurement: the second of two runs."""
    data = bars.make()
    kind: Any = load(STRATEGY, STRATEGY.name, "script", "Crossover")
    params: dict[str, int | float | str | bool] = {"fast": bars.FAST, "slow": bars.SLOW}
    run(data, create(kind, params))
    made = create(kind, params)
    report(*timed(lambda: run(data, made)))


main()
