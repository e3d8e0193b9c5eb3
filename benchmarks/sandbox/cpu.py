"""CPU-bound work in the sandbox and outside: seconds of CPU as the cgroup counts them, the sentry's own included."""

from __future__ import annotations

import dataclasses
import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.environments import STRATEGY
from benchmarks.row import Row
from benchmarks.sandbox.machine import Machine, machine
from benchmarks.sandbox.strategy_pod import StrategyPod
from infra.local.cluster.cgroup import Group
from sandbox import policy

ROUNDS = 15
NUMBA = """
from numba import njit
@njit
def steps(n):
    x, total = 1, 0.0
    for i in range(n):
        x = (x * 1103515245 + 12345) & 2147483647
        total += x * 1e-9
    return total
def work(): steps(200_000_000)
"""
PANDAS = """
import numpy as np, pandas as pd
rng = np.random.default_rng(7)
frame = pd.DataFrame({"key": rng.integers(0, 500, 1_500_000), "value": rng.normal(size=1_500_000)})
def work():
    frame.groupby("key")["value"].agg(["mean", "std"])
    frame["value"].rolling(100).mean()
    frame.sort_values("value")
"""
# One process for all rounds: what is compared is the work, not the start.
SERVE = """
import os, sys, time
folder, turn = sys.argv[1], 0
work()
while True:
    open(f"{folder}/done-{turn}", "w").close()
    while not os.path.exists(f"{folder}/go-{turn}"): time.sleep(0.002)
    work()
    turn += 1
"""
CASES = {"numba loop": (NUMBA, 1.05), "pandas groupby, rolling, sort": (PANDAS, 1.15)}  # name -> work, times native
_LIMIT_S = 120.0


def rows() -> list[Row]:
    """Measure each case, sandbox and native in turn."""
    with machine() as here:
        return [_row(name, ROUNDS, here) for name in CASES]


class Worker:
    """A process that works when told to, in a cgroup of its own."""

    def __init__(self, folder: Path, group: Group) -> None:
        self._folder, self._group, self._turn = folder, group, 0
        self._wait()

    def work(self) -> tuple[float, float]:
        """Let it work once; return wall and CPU seconds."""
        cpu, began = self._group.usage().cpu_seconds or 0.0, time.perf_counter()
        (self._folder / f"go-{self._turn}").touch()
        self._turn += 1
        self._wait()
        return time.perf_counter() - began, (self._group.usage().cpu_seconds or 0.0) - cpu

    def _wait(self) -> None:
        deadline = time.monotonic() + _LIMIT_S
        while not (self._folder / f"done-{self._turn}").exists():
            if time.monotonic() > deadline:
                raise SystemExit(f"no answer from {self._folder}")
            time.sleep(0.002)


@contextmanager
def native(here: Machine, name: str, code: str) -> Iterator[Worker]:
    """Yield a worker outside of the sandbox, with the same environment and limits."""
    folder = here.folder / f"native-{name}"
    folder.mkdir()
    spec = policy.load()
    group = here.groups.create(f"native-{name}", spec.strategy.memory_mib << 20, 2000)
    command = group.command([str(STRATEGY), "-s", "-P", "-B", "-c", code, str(folder)])
    process = subprocess.Popen(command, env={**spec.environment, "PATH": os.defpath})
    try:
        yield Worker(folder, group)
    finally:
        process.kill()
        process.wait()
        group.remove()


@contextmanager
def sandboxed(here: Machine, name: str, code: str) -> Iterator[Worker]:
    """Yield a worker in the strategy's container; its code is ours and runs without the launcher."""
    command = ("/opt/venv/bin/python", "-s", "-P", "-B", "-c", code, "/exchange/out")
    pod = StrategyPod(here, f"sandboxed-{name}", "")
    pod.spec = dataclasses.replace(pod.spec, command=command, cpu_milli=2000)
    with pod.running() as group:
        yield Worker(pod.out, group)


def _row(name: str, rounds: int, here: Machine) -> Row:
    work, allowed = CASES[name]
    label = name.split(maxsplit=1)[0]
    with ExitStack() as running:
        pair = [running.enter_context(kind(here, label, work + SERVE)) for kind in (sandboxed, native)]
        seen: list[list[tuple[float, float]]] = [[], []]
        for n in range(rounds):
            for which in (0, 1) if n % 2 else (1, 0):
                seen[which].append(pair[which].work())
    ours, limit = (statistics.median(cpu for _, cpu in runs) for runs in seen)
    return Row(
        measure=f"CPU-bound, {name}, CPU seconds",
        unit="s",
        ours=ours,
        ours_cpu=ours,
        limit=limit,
        limit_name="native",
        reach=f"<= {allowed:g} times native",
        ok=ours / limit <= allowed,
    )
