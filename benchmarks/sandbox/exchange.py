"""The exchange between sidecar and strategy: how long one turn takes, how fast a chunk is handed over."""

from __future__ import annotations

import statistics
import time

import contract
from benchmarks.row import Row
from benchmarks.sandbox.machine import Machine, machine
from benchmarks.sandbox.strategy_pod import FIELDS, StrategyPod
from infra.local.cluster.cgroup import Group

TURNS, CHUNKS = 200, 15
MONTH = 21 * 390  # bars of a month, one a minute
SYMBOLS = 100
LATENCY_S, BYTES_A_SECOND = 0.02, 1e9
ANSWER = """
from tapedeck import Strategy
class Mine(Strategy):
    fields = ("close",)
    def weights(self, bars):
        return 0.0 * bars.close
"""
# Touches every byte of the chunk that it was given, and says in its decisions how long that took.
TOUCH = """
import time
from tapedeck import Strategy
class Mine(Strategy):
    fields = ("close", "open", "high", "low", "volume")
    def weights(self, bars):
        began = time.perf_counter()
        for name in self.fields:
            getattr(bars, name).sum(), getattr(bars.raw, name).sum()
        took = time.perf_counter() - began
        answer = 0.0 * bars.close
        answer[0, 0] = took
        return answer
"""


def rows() -> list[Row]:
    """Measure both."""
    with machine() as here:
        return [_turn(here), _chunk(here)]


def _turn(here: Machine) -> Row:
    pod = StrategyPod(here, "turn", ANSWER, chunk_count=TURNS)
    seen = []
    with pod.running() as group:
        pod.wait("hello.bin")
        before = group.usage().cpu_seconds or 0.0
        for n in range(TURNS):
            began = time.perf_counter()
            pod.hand_in(n, 1)
            seen.append(pod.wait(contract.decisions(n)) - began)
        cpu = ((group.usage().cpu_seconds or 0.0) - before) / TURNS
    took = statistics.median(seen)
    return Row(
        measure="exchange round trip: a chunk of one bar in, its decisions out",
        unit="s",
        ours=took,
        ours_cpu=cpu,
        limit=LATENCY_S,
        limit_name="the longest pause between two polls",
        reach="<= one pause",
        ok=took <= LATENCY_S,
    )


def _chunk(here: Machine) -> Row:
    pod = StrategyPod(here, "chunk", TOUCH, symbols=SYMBOLS, fields=len(FIELDS), chunk_count=CHUNKS)
    seen, cpu = [], []
    with pod.running() as group:
        pod.wait("hello.bin")
        for n in range(CHUNKS):
            before, began = _cpu(group), time.perf_counter()
            size = pod.hand_in(n, MONTH)
            written = time.perf_counter() - began
            pod.wait(contract.decisions(n))
            seen.append(size / (written + pod.decision(n)))
            cpu.append(_cpu(group) - before)
            pod.withdraw(n)
    speed = statistics.median(seen)
    return Row(
        measure=f"a chunk of {SYMBOLS} symbols x 1 month of minutes, 5 fields: written, mapped, every byte read",
        unit="B/s",
        ours=speed,
        ours_cpu=statistics.median(cpu),
        limit=BYTES_A_SECOND,
        limit_name="asked for",
        reach=">= 1 GB/s",
        ok=speed >= BYTES_A_SECOND,
    )


def _cpu(group: Group) -> float:
    """Return the CPU seconds of both sides so far."""
    return time.process_time() + (group.usage().cpu_seconds or 0.0)
