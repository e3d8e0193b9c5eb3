"""What costs and market models cost the engine: its compiled pass with all of them against basis points alone."""

from __future__ import annotations

from typing import Any

from benchmarks.engine import peers
from benchmarks.engine.s2 import hot
from benchmarks.environments import STRATEGY
from benchmarks.row import Row

ROUNDS, HOT = 3, 5
REACH = 2.0  # times the plain pass: in Python, where settings go that the compiled pass does not know, it is a hundred


def rows() -> list[Row]:
    """Measure the engine's pass alone over S2's market, decisions given, in interleaved rounds."""
    made: dict[str, list[dict[str, Any]]] = {"plain": [], "costs": []}
    for _ in range(ROUNDS):
        for how, runs in made.items():
            runs.append(peers.call(STRATEGY, "benchmarks.engine.ours_costs", how=how, hot=HOT))
    costs, plain = (hot(made[how]) for how in ("costs", "plain"))
    told = (f"{how} {hot(runs, 'cpu') * 1e3:.3g} ms CPU, {runs[0]['fills']:,} fills" for how, runs in made.items())
    return [
        Row(
            measure="S2's market, the engine's pass with all cost models, 100 symbols long or short, one account, hot",
            unit="s",
            ours=costs,
            ours_cpu=hot(made["costs"], "cpu"),
            limit=plain,
            limit_name="the same pass, costs in basis points",
            reach=f"<= {REACH:g} times the plain pass",
            note="; ".join(told),
            ok=costs / plain <= REACH,
        )
    ]
