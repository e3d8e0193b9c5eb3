"""A running container, as the pod sees it whichever way it runs."""

from __future__ import annotations

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local.cluster.bundle import Image
from infra.local.cluster.cgroup import Group
from infra.local.cluster.container_log import ContainerLog
from infra.local.cluster.pod import Container, PodSpec

_CHECKOUT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Launch:
    """What either way needs to start a container; `folder` is its own, `folders` the pod's volumes."""

    pod: PodSpec
    container: Container
    image: Image
    folder: Path
    folders: Mapping[str, str]
    hostname: str
    env: Mapping[str, str]  # added by the machine to the trusted container's: endpoints, the sandbox's name
    group: Group | None
    log: ContainerLog


class Running(ABC):
    """A container whose life is that of one process of the host."""

    def __init__(self, command: list[str], log: ContainerLog) -> None:
        self._process = _start(command, log)

    def poll(self) -> int | None:
        """Return the exit code (128 + n for a signal), or None while it runs."""
        code = self._process.poll()
        return 128 - code if code is not None and code < 0 else code

    @abstractmethod
    def terminate(self) -> None:
        """Ask for its end; may be called again and again, the container sees one SIGTERM."""

    @abstractmethod
    def kill(self) -> None:
        """End it and all of its processes, and return when it has ended."""

    @abstractmethod
    def close(self) -> None:
        """Leave nothing of it on the machine; to be called once it has ended."""


def _start(command: list[str], log: ContainerLog) -> subprocess.Popen[bytes]:
    """Start with separate pipes: on one that both streams share a slow reader makes write(2) fail with EAGAIN."""
    process = subprocess.Popen(
        command,
        cwd=_CHECKOUT,
        env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(_CHECKOUT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stderr is not None
    log.follow(process.stdout)
    log.follow(process.stderr)
    return process
