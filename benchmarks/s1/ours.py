"""S1 as a researcher would write it: a strategy file, loaded and run by the public library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clock import report, timed
from benchmarks.s1 import bars
from tapedeck import engine
from tapedeck.bars import Bars
from tapedeck.market.block import Block
from tapedeck.source import load
from tapedeck.strategy import create

STRATEGY = Path(__file__).parent / "crossover.py"


def run(data: dict[str, np.ndarray], strategy: Any) -> tuple[float, int]:
    """Return final equity and fills."""
    fields = {name: data[name].reshape(-1, 1) for name in ("open", "high", "low", "close", "volume")}
    seen = Bars(symbols=("A",), ts=data["ts"], session=data["session"], fields={"close": fields["close"]})
    weights = np.asarray(strategy.weights(seen), np.float64)
    state = engine.start(("A",), engine.EngineSettings(cash=bars.CASH), [], [])
    result = engine.step(state, Block(("A",), data["ts"], data["session"], fields), weights)
    return float(result.equity[-1]), len(result.fills.ts)


def main() -> None:
    """Print one measurement: the second of two runs."""
    data = bars.make()
    kind: Any = load(STRATEGY, STRATEGY.name, "script", "Crossover")
    strategy = create(kind, {"fast": bars.FAST, "slow": bars.SLOW})
    run(data, strategy)
    report(*timed(lambda: run(data, strategy)))


main()
