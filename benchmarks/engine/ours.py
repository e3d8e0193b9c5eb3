"""S1 and S2 by the library: a strategy file on bars in memory, with all figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engine import clock, inputs
from tapedeck import Bars, backtest


def main() -> None:
    """Read what is asked as JSON: `workload`, `how` (sleeves, shared, numpy), `hot`; answer as `clock.rounds` does."""
    asked = json.loads(sys.argv[1])
    data = inputs.load(inputs.symbols_of(asked["workload"]))
    symbols = [f"S{k:03}" for k in range(len(data["close"]))]
    fields = {name: data[name].T for name in inputs.FIELDS}
    bars = Bars(symbols=symbols, ts=data["ts"], session=data["session"], fields=fields)
    strategy = Path(__file__).parent / f"crossover_{asked['how']}.py"

    def run() -> dict[str, Any]:
        done = backtest(strategy, bars)
        values = done.metrics["values"]
        figures = {name: float(np.float64(values[name])) for name in ("max_drawdown", "bar_max_drawdown", "sharpe")}
        return {"equity": float(done.equity[-1]), "fills": len(done.fills), **figures}

    clock.say(clock.rounds(run, int(asked.get("hot", 5))))


if __name__ == "__main__":
    main()
