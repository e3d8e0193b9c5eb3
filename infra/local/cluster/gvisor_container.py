"""The untrusted container: an OCI bundle under runsc."""

from __future__ import annotations

import subprocess
import time

from infra.local.cluster.bundle import bundle
from infra.local.cluster.bundle_folder import write_bundle
from infra.local.cluster.engine import Engine
from infra.local.cluster.held_read_only import HeldReadOnly
from infra.local.cluster.running import Launch, Running

_KILL_WAIT_S = 5.0
_RETRY_S = 0.2


class GvisorContainer(Running):
    """The strategy: an OCI bundle under runsc."""

    def __init__(self, launch: Launch, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        cgroup = launch.group.path if launch.group else ""
        config = bundle(
            launch.pod,
            launch.container,
            image=launch.image,
            folders=launch.folders,
            hostname=launch.hostname,
            cgroup=cgroup,
        )
        self._sources = HeldReadOnly(launch.folder / "sources", config)
        write_bundle(launch.folder, self._sources.config)
        super().__init__(engine.command("run", "--bundle", str(launch.folder), name), launch.log)
        self._asked = False
        self._ask_again_at = 0.0

    def terminate(self) -> None:
        """Send SIGTERM to the first process; runsc does not pass its own on."""
        if self._asked or time.monotonic() < self._ask_again_at:
            return
        self._ask_again_at = time.monotonic() + _RETRY_S  # runsc knows the container only once it is up
        self._asked = self._engine.call("kill", self._name, "TERM")

    def kill(self) -> None:
        """Kill by name, and where that does not help the sandbox with its runsc."""
        self._engine.call("kill", "--all", self._name, "KILL")
        try:
            self._process.wait(_KILL_WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Remove the state that runsc keeps of it, and its mounts."""
        self._engine.call("delete", "--force", self._name)
        self._sources.release()
