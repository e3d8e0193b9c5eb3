"""One container of a pod: started with its cgroup and log, watched, written down when it ends, maybe started again."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from infra.local.cluster.bundle import Image
from infra.local.cluster.cgroup import Groups, Usage
from infra.local.cluster.config import Config
from infra.local.cluster.container_log import ContainerLog
from infra.local.cluster.endings import terminated
from infra.local.cluster.gvisor_container import GvisorContainer
from infra.local.cluster.host_container import HostContainer
from infra.local.cluster.interpreter import system_paths
from infra.local.cluster.records import ContainerRecord, PodRecord, now, stamp
from infra.local.cluster.running import Launch, Running
from infra.local.cluster.tokens import Issuer
from infra.local.cluster.untrusted import Sandbox, start
from infra.local.cluster.volumes import Volumes

_RESTART_S = (0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)


@dataclass(frozen=True)
class Machine:
    """What a node brings to its pods; `groups` is None where no cgroup can be made."""

    config: Config
    engine: Sandbox
    groups: Groups | None
    issuer: Issuer


class ContainerRun:
    """A container that was started, with its cgroup, log and record; a sidecar may be started again."""

    def __init__(
        self, machine: Machine, pod: PodRecord, record: ContainerRecord, *, folder: Path, volumes: Volumes, logs: Path
    ) -> None:
        self.code: int | None = None
        self._machine = machine
        self._pod = pod
        self._record = record
        self._folder = folder
        self._volumes = volumes
        self._log = ContainerLog(logs / record.spec.name)
        self._restart_at = float("inf")
        self._launch()

    def ended(self) -> bool:
        """Return whether the container has ended; the first time, write down how and clear up after it."""
        if self.code is None and (code := self.running.poll()) is not None:
            self._conclude(code)
        return self.code is not None

    def restart_if_ended(self) -> None:
        """Start a sidecar that ended before the main container again: at once, then with growing pauses."""
        if not self.ended():
            return
        if self._restart_at == float("inf"):
            pause = _RESTART_S[min(self._record.restarts, len(_RESTART_S) - 1)]
            self._restart_at = time.monotonic() + pause
        if time.monotonic() >= self._restart_at and not self._pod.stop.is_set():
            self._record.last = self._record.state
            self._record.restarts += 1
            self._restart_at = float("inf")
            self._launch()

    def _launch(self) -> None:
        spec, machine = self._record.spec, self._machine
        source = machine.config.images[spec.image]
        name = f"{self._pod.name}-{spec.name}"
        folder = self._folder / f"{spec.name}-{self._record.restarts}"
        self._group = machine.groups.create(name, spec.memory, spec.cpu_milli) if machine.groups else None
        launch = Launch(
            pod=self._pod.spec.pod,
            container=spec,
            image=Image(source.target, str(source.code), str(source.venv), system_paths(source.venv)),
            folder=folder,
            folders=self._volumes.folders,
            hostname=self._pod.name,
            env={**machine.config.env.get(source.target, {}), **self._told(source.target)},
            group=self._group,
            log=self._log,
        )
        self.code = None
        self._since = now()
        self.running: Running
        self._untrusted = source.target == "strategy"
        if self._untrusted:
            self.running = start(machine.engine, launch, name)
        else:
            self.running = HostContainer(launch)
        self._record.state = {"running": {"startedAt": stamp(self._since)}}

    def _told(self, target: str) -> dict[str, str]:
        """Return what the sidecar's record shall call the sandbox: the Job knows only that one was asked for."""
        return {"SANDBOX": self._machine.engine.name} if target == "sidecar" else {}

    def _conclude(self, code: int) -> None:
        usage = self._group.usage() if self._group else Usage(0, None, None)
        sandboxed = isinstance(self.running, GvisorContainer)
        self.running.close()
        self._log.close()
        if self._group:
            self._group.remove()
        told = self._untrusted and self._wrote_exit()
        state = terminated(self._record.spec, code, usage, self._since, sandboxed=sandboxed, told=told)
        self._record.state = {"terminated": state}
        self._pod.annotations[f"tapedeck/usage-{self._record.spec.name}"] = json.dumps(
            {
                "peak_memory_bytes": usage.peak_memory,
                "cpu_seconds": usage.cpu_seconds,
                "sandbox": self._machine.engine.name if self._untrusted else None,
            }
        )
        self.code = code

    def _wrote_exit(self) -> bool:
        """Return whether the launcher lived to say how its child ended."""
        writable = [mount.volume for mount in self._record.spec.mounts if not mount.read_only]
        return any((Path(self._volumes.folders[volume]) / "exit.bin").exists() for volume in writable)
