"""S3 as a researcher writes it: a strategy file, a grid, bars in memory, `tapedeck.sweep`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import tapedeck
from benchmarks.engine import clock, inputs

STRATEGY = Path(__file__).parent / "crossover.py"


def main() -> None:
    """Read what is asked as JSON (`hot`: rounds), answer as JSON (`clock.rounds`)."""
    asked = json.loads(sys.argv[1])
    data = inputs.load(1)
    fields = {name: data[name].T for name in inputs.FIELDS}
    bars = tapedeck.Bars(symbols=("A",), ts=data["ts"], session=data["session"], fields=fields)
    grid = [{"fast": fast, "slow": slow} for fast, slow in inputs.pairs().tolist()]

    def run() -> dict[str, Any]:
        done = tapedeck.sweep(STRATEGY, grid, bars)
        best = done.best()["sharpe"]
        return {"equity": float(done.figures.final_equity.sum()), "fills": int(done.fills.sum()), "sharpe": best}

    clock.say(clock.rounds(run, int(asked.get("hot", 1))))


if __name__ == "__main__":
    main()
