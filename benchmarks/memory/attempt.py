"""One attempt in a pod as the platform plans it: real sidecar, real strategy container, their memory sampled."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import run_objects
from benchmarks.environments import ROOT, SIDECAR
from benchmarks.memory import market
from benchmarks.sandbox.machine import CODE, Machine
from benchmarks.sandbox.strategy_pod import StrategyPod
from infra.local.cluster.cgroup import Group
from sandbox import policy
from tapedeck.engine import EngineSettings
from tapedeck.market import calendar as calendars
from tapedeck.market import chunks, years
from tapedeck.market.snapshot import Snapshot
from tapedeck.versions import ENGINE_VERSION, METRIC_SCHEMA

JOB = "0f8fad5b-d9cb-469f-a165-70867728950e"
EVERY_S = 0.05
_LIMIT_S = 3000
_KINDS = {1: ("total_rss", "total_shmem"), 2: ("anon", "shmem")}  # of cgroups; what is cached of files is the node's
STRATEGY = """
import numpy as np
from tapedeck import Strategy, sma

class Mine(Strategy):
    fields = ("close",)

    def lookback(self):
        return 390

    def weights(self, bars):
        held = np.full(bars.shape, np.nan)
        last = np.flatnonzero(np.diff(bars.session, append=-1))[-1]  # decides once a chunk
        held[last] = (bars.close[last] > np.nanmean(bars.close[-390:], axis=0)) / bars.width
        return held
"""


@dataclass(frozen=True)
class Took:
    """Peaks in bytes: of both containers' memory together, volumes included, and of each; seconds; bars of the run."""

    peak: int
    sidecar: int
    strategy: int
    wall: float
    cpu: float
    cells: int
    event: dict[str, Any]


def run(here: Machine, name: str, snapshot: Snapshot, span: tuple[date, date]) -> Took:
    """Run all symbols from one day to another."""
    manifest = _manifest(snapshot, *span)
    pod = StrategyPod(here, name, "")
    (pod.folder / "exchange-in" / "run.json").unlink()  # the sidecar's to write
    buckets = {"runs": market.FOLDER / "runs", "market": Path(snapshot.store.root)}  # type: ignore[attr-defined]  # a FolderStore
    shutil.rmtree(buckets["runs"], ignore_errors=True)
    _submit(pod.folder, manifest, buckets)
    spec = policy.load().sidecar
    group = here.groups.create(f"sidecar-{name}", spec.memory_mib << 20, 2000)  # as fast as the machine is
    command = [str(SIDECAR), "-B", "-m", "benchmarks.memory.sidecar", str(pod.folder)]
    began = time.monotonic()
    try:
        with pod.running() as strategy, _Sampled(group, strategy) as sampled:
            environ = {**os.environ, "PYTHONPATH": f"{ROOT}:{CODE}"}
            subprocess.run(group.command(command), cwd=ROOT, env=environ, check=True, timeout=_LIMIT_S)
            wall = time.monotonic() - began
            cpu = sum(one.usage().cpu_seconds or 0.0 for one in (group, strategy))
    finally:
        group.remove()
    cells = sum(market_bars(manifest)) * len(manifest["symbols"])
    both, sidecar, half = sampled.peaks
    return Took(both, sidecar, half, wall=wall, cpu=cpu, cells=cells, event=_last_event(buckets["runs"]))


def market_bars(manifest: run_objects.RunManifest) -> list[int]:
    """Return the bars of each chunk."""
    pairs = [(date.fromisoformat(a), date.fromisoformat(b)) for a, b in manifest["chunks"]]
    return [years.count(manifest["dataset"], *pair) for pair in pairs]


class _Sampled:
    """Samples what two cgroups hold, while it is open."""

    def __init__(self, *groups: Group) -> None:
        self._groups = groups
        self.peaks = (0, *(0 for _ in groups))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> _Sampled:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(EVERY_S):
            now = [_memory(group) for group in self._groups]
            self.peaks = tuple(map(max, self.peaks, (sum(now), *now)))


def _memory(group: Group) -> int:
    controller = "memory" if group._version == 1 else ""
    try:
        lines = (group._folders[controller] / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    held = dict(line.split() for line in lines)
    return sum(int(held.get(kind, 0)) for kind in _KINDS[group._version])


def _manifest(snapshot: Snapshot, first: date, last: date) -> run_objects.RunManifest:
    limits = policy.load()
    span = first, last, len(market.SYMBOLS), 1, "weights", limits.chunk_bytes("weights", 1)
    planned = chunks.plan(calendars.get(snapshot.calendar), snapshot.bar, *span)
    digest = hashlib.sha256(STRATEGY.encode()).hexdigest()
    run: dict[str, Any] = {
        "schema": 1,
        "code": {"key": f"code/{digest}/strategy.py", "digest": digest, "name": "strategy.py", "kind": "script"},
        "level": "weights",
        "class_name": "Mine",
        "params": {},
        "fields": ["close"],
        "dataset": snapshot.dataset,
        "snapshot": snapshot.id,
        "calendar": snapshot.calendar,
        "bar": snapshot.bar,
        "symbols": market.SYMBOLS,
        "start": first.isoformat(),
        "end": last.isoformat(),
        "adjust": "split",
        "chunks": [(a.isoformat(), b.isoformat()) for a, b in planned],
        "engine": {"version": ENGINE_VERSION, **asdict(EngineSettings())},
        "seed": 7,
        "audit": None,
        "risk_free": 0.0,
        "metric_schema": METRIC_SCHEMA,
        "sidecar_image": "sidecar",
        "strategy_image": "strategy",
    }
    return run  # type: ignore[return-value]  # the names are the contract's


def _submit(root: Path, manifest: run_objects.RunManifest, buckets: dict[str, Path]) -> None:
    body = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    for key, content in ((manifest["code"]["key"], STRATEGY.encode()), (f"runs/{JOB}/run.json", body)):
        path = buckets["runs"] / key
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    settings = {
        "job": JOB,
        "attempt": 1,
        "manifest_digest": hashlib.sha256(body).hexdigest(),
        "deadline_seconds": _LIMIT_S,
        "runs_bucket": "runs",
        "market_bucket": "market",
        "region": None,
        "sandbox": "bench",
    }
    (root / "attempt.json").write_text(
        json.dumps({"settings": settings, **{name: str(path) for name, path in buckets.items()}})
    )


def _last_event(runs: Path) -> dict[str, Any]:
    events = sorted((runs / "runs" / JOB / "1" / "events").glob("*.json"))
    event: dict[str, Any] = json.loads(events[-1].read_text())
    if event["type"] != "COMPLETED":
        print(json.dumps(event, indent=1), file=sys.stderr)
        raise SystemExit("the run did not complete")
    return event
