"""The strategy's container with an exchange that the measure fills itself, in the sidecar's place."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

import contract
from benchmarks.sandbox.machine import Machine, pod
from infra.local.cluster.cgroup import Group
from infra.local.cluster.container_log import ContainerLog
from infra.local.cluster.gvisor_container import GvisorContainer
from infra.local.cluster.running import Launch
from sidecar import chunks
from sidecar.chunks import Column
from sidecar.exchange import Exchange
from tapedeck.engine import EngineSettings
from tapedeck.versions import ENGINE_VERSION

_LIMIT_S = 60.0
FIELDS = ("close", "open", "high", "low", "volume")  # in the order in which a measure takes them


class StrategyPod:
    """One container of untrusted code: `exchange` is our side of it."""

    def __init__(
        self, machine: Machine, name: str, source: str, *, symbols: int = 1, fields: int = 1, chunk_count: int = 1
    ) -> None:
        self.folder = machine.folder / name
        self.out = self.folder / "exchange-out"
        self._machine, self._symbols, self._fields = machine, symbols, FIELDS[:fields]
        self._name = f"bench-{name}"
        self._pod = pod()
        self.spec = self._pod.main
        for volume in self._pod.volumes:
            (self.folder / volume).mkdir(parents=True)
        self.out.chmod(0o777)
        self.exchange = Exchange(self.folder / "exchange-in", self.out)
        run: contract.Run = {
            "kind": "script",
            "source": "strategy.py",
            "level": "weights",
            "class_name": "Mine",
            "params": {},
            "symbols": [f"S{n}" for n in range(symbols)],
            "fields": list(FIELDS[:fields]),
            "dataset": "bench-1m",
            "snapshot": "s",
            "start": "2024-01-01",
            "end": "2024-01-31",
            "seed": 7,
            "chunks": chunk_count,
            "engine": {"version": ENGINE_VERSION, **asdict(EngineSettings())},  # type: ignore[typeddict-item]  # the names are equal
        }
        self.exchange.publish("source/strategy.py", [source.encode()])
        self.exchange.publish("run.json", [json.dumps(run).encode()])

    @contextmanager
    def running(self) -> Iterator[Group]:
        """Start the container as the cluster does; yield its cgroup, and end it after the block."""
        spec = self.spec
        group = self._machine.groups.create(self._name, spec.memory, spec.cpu_milli)
        launch = Launch(
            pod=self._pod,
            container=spec,
            image=self._machine.image(),
            folder=self.folder / "bundle",
            folders={name: str(self.folder / name) for name in self._pod.volumes},
            hostname="bench",
            env={},
            group=group,
            log=ContainerLog(self.folder / "log"),
        )
        container = GvisorContainer(launch, self._machine.engine, self._name)
        try:
            yield group
        finally:
            self.exchange.publish("stop", [b""])
            container.kill()
            container.close()
            launch.log.close()
            group.remove()

    def hand_in(self, index: int, rows: int) -> int:
        """Publish a chunk of ones; return its bytes."""
        names = [f"{raw}{name}" for name in self._fields for raw in ("", "raw.")]
        values = np.ones((rows, self._symbols), order="F")
        times = np.arange(rows, dtype=np.int64) * 60_000_000
        columns = [
            Column("ts", "<i8", (rows,), lambda: [times]),
            Column("session", "<i4", (rows,), lambda: [np.zeros(rows, np.int32)]),
            *(Column(name, "<f8", (rows, self._symbols), lambda: [values]) for name in names),
        ]
        self.exchange.publish(contract.chunk_data(index), chunks.parts(columns))
        self.exchange.publish(contract.chunk_header(index), [chunks.header(index, rows, 0, columns)])
        return sum(column.nbytes for column in columns)

    def wait(self, name: str) -> float:
        """Return the time (perf_counter) at which `name` was seen in what the strategy writes."""
        path = self.out / name
        deadline = time.perf_counter() + _LIMIT_S
        while not path.exists():
            if time.perf_counter() > deadline or (self.out / "exit.bin").exists():
                raise SystemExit(f"no {name}: {self._said()}")
            time.sleep(0.0005)
        return time.perf_counter()

    def decision(self, index: int) -> float:
        """Return the first number of a chunk's decisions."""
        body = self.exchange.take(contract.decisions(index), 1 << 30)
        assert body is not None
        return float(np.frombuffer(body, "<f8", 1)[0])

    def withdraw(self, index: int) -> None:
        """Take a chunk and its decisions away, as the sidecar does once they are sealed."""
        for name in (contract.chunk_header(index), contract.chunk_data(index)):
            self.exchange.withdraw(name)
        self.exchange.discard(contract.decisions(index))

    def _said(self) -> str:
        logs = [self.folder / "log", *sorted(self.out.glob("log-*")), *self.out.glob("failure.json")]
        return "".join(Path(path).read_text(errors="replace")[-2000:] for path in logs)
