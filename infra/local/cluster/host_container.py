"""The trusted container: an own root, processes and IPC, an unprivileged user, on the host's network."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from infra.local.cluster.bundle import CODE, VENV
from infra.local.cluster.host_init import Spec
from infra.local.cluster.kernel import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY
from infra.local.cluster.running import Launch, Running


class HostContainer(Running):
    """A process that confines itself (see `host_init`)."""

    def __init__(self, launch: Launch) -> None:
        root = launch.folder / "root"
        root.mkdir(parents=True)
        path = launch.folder / "spec.json"
        path.write_text(json.dumps(asdict(_spec(launch, root))))
        init = [sys.executable, "-s", "-P", "-B", "-m", "infra.local.cluster.host_init", str(path)]
        super().__init__(init, launch.log)
        self._asked = False

    def terminate(self) -> None:
        """Pass SIGTERM on through the init."""
        if not self._asked:
            self._asked = True
            self._process.terminate()

    def kill(self) -> None:
        """Kill the init: the kernel kills the container's first process with it, and so the rest."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Nothing stays: its mounts were its own, and its cgroup is removed with what is left inside."""


def _spec(launch: Launch, root: Path) -> Spec:
    one = launch.container
    read_only = MS_RDONLY | MS_NOSUID | MS_NODEV
    mounts = [(path, path, read_only) for path in launch.image.system]
    mounts += [(VENV, launch.image.venv, read_only), (CODE, launch.image.code, read_only)]
    for mount in one.mounts:
        flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | (MS_RDONLY if mount.read_only else 0)
        mounts.append((mount.path, launch.folders[mount.volume], flags))
    return Spec(
        root=str(root),
        command=list(one.command),
        env={**one.env, **launch.env},
        uid=one.uid,
        gid=one.gid,
        hostname=launch.hostname,
        cgroup_entries=launch.group.entries() if launch.group else [],
        mounts=mounts,
        parent=os.getpid(),
    )
