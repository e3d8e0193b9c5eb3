"""The engine's pass over S2's market, long where the fast average is above the slow one and short elsewhere."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from benchmarks.engine import clock, inputs
from tapedeck import compiled, engine, sma
from tapedeck.market.block import Block

SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "costs": {
        "volume_cap": 0.1,
        "impact_bps": 10.0,
        "halt_zero_volume": True,
        "commission_per_share": 0.005,
        "commission_minimum": 1.0,
        "half_spread_per_share": 0.005,
        "borrow_fee_annual": 0.03,
        "interest_credit_annual": 0.02,
        "interest_debit_annual": 0.06,
        "maintenance_margin": 0.25,
    },
}


def main() -> None:
    """Read what is asked as JSON: `how` (plain, costs), `hot`; answer as `clock.rounds` does."""
    asked = json.loads(sys.argv[1])
    names = (*inputs.FIELDS, "volume")
    data = inputs.load(inputs.SYMBOLS, names)
    symbols = tuple(f"S{k:03}" for k in range(inputs.SYMBOLS))
    bars = Block(symbols, data["ts"], data["session"], {name: data[name].T for name in names})
    held = np.where(sma(bars.fields["close"], 20) > sma(bars.fields["close"], 100), 1.0, -1.0)
    targets = np.asfortranarray(held / len(symbols))
    settings = engine.EngineSettings(**SETTINGS[asked["how"]])
    compiled.keep_memory()

    def run() -> dict[str, Any]:
        done = engine.step(engine.start(symbols, settings, [], []), bars, targets)
        return {"equity": float(done.equity[-1]), "fills": len(done.fills), "calls": len(done.calls)}

    clock.say(clock.rounds(run, int(asked.get("hot", 5))))


if __name__ == "__main__":
    main()
