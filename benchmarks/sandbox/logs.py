"""What a strategy prints is drained however much it is: speed, and what it costs in memory."""

from __future__ import annotations

import itertools
import statistics
import time

import contract
from benchmarks.row import Row
from benchmarks.sandbox.machine import machine
from benchmarks.sandbox.strategy_pod import StrategyPod
from sandbox import policy
from sidecar.logs import LogBook
from sidecar.shipping import LogShipper
from tapedeck.market.store import FolderStore

FLOODS, FLOOD_BYTES = 5, 256 << 20
BYTES_A_SECOND, GROWTH_BYTES = 200e6, 32 << 20
FLOOD = """
import os
from tapedeck import Strategy
LINES = (b"x" * 127 + b"\\n") * 512
class Mine(Strategy):
    fields = ("close",)
    def weights(self, bars):
        for _ in range(BYTES // len(LINES)):
            os.write(1, LINES)
        return 0.0 * bars.close
"""


def rows() -> list[Row]:
    """Let a strategy print, with the sidecar's collector at work; the first flood is not counted."""
    with machine() as here:
        pod = StrategyPod(here, "logs", FLOOD.replace("BYTES", str(FLOOD_BYTES)), chunk_count=FLOODS + 1)
        shipper = LogShipper(pod.exchange, FolderStore(pod.folder / "store"), "job", 1, LogBook(**policy.load().logs))
        shipper.start()
        speeds, peaks, cpu = [], [], []
        with pod.running() as group:
            pod.wait("hello.bin")
            for n in range(FLOODS + 1):
                cpu.append(time.process_time() + (group.usage().cpu_seconds or 0.0))
                began = time.perf_counter()
                pod.hand_in(n, 1)
                speeds.append(FLOOD_BYTES / (pod.wait(contract.decisions(n)) - began))
                peaks.append(group.usage().peak_memory or 0)
        shipper.close()
    flood = statistics.median(b - a for a, b in itertools.pairwise(cpu[1:]))
    return [_speed(statistics.median(speeds[1:]), flood), _growth(peaks[-1] - peaks[0])]


def _speed(speed: float, cpu: float) -> Row:
    return Row(
        measure="logs: bytes printed and drained, the collector at work",
        unit="B/s",
        ours=speed,
        ours_cpu=cpu,
        limit=BYTES_A_SECOND,
        limit_name="asked for",
        reach=">= 200 MB/s",
        ok=speed >= BYTES_A_SECOND,
    )


def _growth(growth: float) -> Row:
    return Row(
        measure=f"logs: growth of the container's peak memory over {FLOODS} more floods of {FLOOD_BYTES >> 20} MiB",
        unit="B",
        ours=growth,
        ours_cpu=None,
        limit=GROWTH_BYTES,
        limit_name="allowed",
        reach="<= 32 MiB",
        ok=growth <= GROWTH_BYTES,
    )
