"""One pod from start to end, in Kubernetes' order."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from infra.local.cluster.container_run import ContainerRun, Machine
from infra.local.cluster.records import ContainerRecord, PodRecord, now
from infra.local.cluster.volumes import Volumes

_POLL_S = 0.02
_LEAST_GRACE_S = 2.0  # what a sidecar gets when the main container used the pod's grace up


class PodRun:
    """One pod from start to end."""

    def __init__(self, machine: Machine, pod: PodRecord, folder: Path, logs: Path) -> None:
        self._machine = machine
        self._pod = pod
        self._folder = folder
        self._logs = logs
        self._volumes: Volumes | None = None
        self._started: list[ContainerRun] = []

    def run(self) -> None:
        """Start the sidecars, then the main container; end the sidecars after it, the last first."""
        pod = self._pod
        pod.started = now()
        self._logs.mkdir(parents=True)
        self._volumes = Volumes(pod, self._folder / "volumes", self._machine.issuer, self._machine.config.host_paths)
        sidecars = [self._start(record) for record in pod.sidecars]
        main = self._start(pod.main)
        pod.phase = "Running"
        while not main.ended():
            self._tick(main, pod.kill_at)
            for sidecar in sidecars:
                sidecar.restart_if_ended()
            self._volumes.rotate()
            time.sleep(_POLL_S)
        grace = max(_LEAST_GRACE_S, pod.kill_at - time.monotonic()) if pod.stop.is_set() else pod.spec.pod.grace_seconds
        for sidecar in reversed(sidecars):
            self._end(sidecar, time.monotonic() + grace)
        pod.phase = "Succeeded" if main.code == 0 else "Failed"

    def close(self) -> None:
        """Leave nothing behind, however the run ended."""
        for started in reversed(self._started):
            if not started.ended():
                started.running.kill()
                started.ended()
        if self._volumes is not None:
            self._volumes.remove()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, record: ContainerRecord) -> ContainerRun:
        assert self._volumes is not None
        started = ContainerRun(
            self._machine, self._pod, record, folder=self._folder, volumes=self._volumes, logs=self._logs
        )
        self._started.append(started)
        return started

    def _tick(self, main: ContainerRun, kill_at: float) -> None:
        if self._pod.stop.is_set():
            main.running.terminate()
        if time.monotonic() >= kill_at:
            main.running.kill()

    def _end(self, sidecar: ContainerRun, deadline: float) -> None:
        assert self._volumes is not None
        while not sidecar.ended():
            sidecar.running.terminate()
            if time.monotonic() >= min(deadline, self._pod.kill_at + _LEAST_GRACE_S):
                sidecar.running.kill()
            self._volumes.rotate()
            time.sleep(_POLL_S)
