"""From the container's start to the first decision: what a run waits for before it does anything."""

from __future__ import annotations

import statistics
import time

import contract
from benchmarks.row import Row
from benchmarks.sandbox.machine import Machine, machine
from benchmarks.sandbox.strategy_pod import StrategyPod

ROUNDS = 7
STRATEGY = """
IMPORT
from tapedeck import Strategy

class Mine(Strategy):
    fields = ("close",)

    def weights(self, bars):
        return 0.0 * bars.close
"""
CASES = {"NumPy only": ("", 1.0), "with pandas": ("import pandas", 3.0)}  # name -> what it imports, seconds allowed


def rows() -> list[Row]:
    """Measure each case in interleaved rounds."""
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
    with machine() as here:
        for n in range(ROUNDS):
            for name, (imported, _) in CASES.items():
                seen[name].append(once(here, f"{name.split()[-1]}-{n}", STRATEGY.replace("IMPORT", imported)))
    return [_row(name, runs, CASES[name][1]) for name, runs in seen.items()]


def once(here: Machine, name: str, source: str) -> tuple[float, float]:
    """Return wall and CPU seconds of one start; the first chunk lies ready."""
    pod = StrategyPod(here, name, source)
    pod.hand_in(0, 390)
    began = time.perf_counter()
    with pod.running() as group:
        ended = pod.wait(contract.decisions(0))
        return ended - began, group.usage().cpu_seconds or 0.0


def _row(name: str, runs: list[tuple[float, float]], allowed: float) -> Row:
    wall = statistics.median(wall for wall, _ in runs)
    return Row(
        measure=f"first bar after the container's start, {name}",
        unit="s",
        ours=wall,
        ours_cpu=statistics.median(cpu for _, cpu in runs),
        limit=allowed,
        limit_name="allowed",
        reach=f"<= {allowed:g} s",
        ok=wall <= allowed,
    )
