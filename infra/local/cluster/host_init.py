"""The trusted container's first process: `python -m infra.local.cluster.host_init SPEC.json`, as root.

It enters its cgroup, makes namespaces of its own (mounts, processes, IPC, host name; the network stays the host's), a
root of read-only binds, an unprivileged user, and becomes the command. A parent stays outside to pass SIGTERM on.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from infra.local.cluster import kernel
from infra.local.cluster.interpreter import skeleton

_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_FROM_HOST = ("/etc/resolv.conf", "/etc/ssl/certs")


@dataclass(frozen=True)
class Spec:
    """What to run; mounts are (place, source, kernel flags)."""

    root: str
    command: list[str]
    env: dict[str, str]
    uid: int
    gid: int
    hostname: str
    cgroup_entries: list[str]
    mounts: list[tuple[str, str, int]]
    parent: int  # who must be alive for this container to be


def main(path: str) -> int:
    """Run the container and return its exit code."""
    spec = Spec(**json.loads(Path(path).read_text()))
    kernel.die_with_parent(signal.SIGKILL)
    if os.getppid() != spec.parent:  # it died before the kernel was asked to tell
        return 137
    for entry in spec.cgroup_entries:
        Path(entry).write_text("0")
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS)
    alive, held = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(held)
        _become(spec, alive)

    def forward(number: int, _: FrameType | None) -> None:
        os.kill(child, number)

    signal.signal(signal.SIGTERM, forward)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


def _become(spec: Spec, alive: int) -> None:
    """Turn into the container's command; `alive` reads as ended once the parent is gone."""
    try:
        build_root(spec)
        kernel.set_hostname(spec.hostname)
        kernel.drop_to(spec.uid, spec.gid)
        kernel.die_with_parent(signal.SIGKILL)
        if select.select([alive], [], [], 0)[0]:
            os._exit(137)
        os.execve(spec.command[0], spec.command, spec.env)  # noqa: S606  the Job's own command, unprivileged now
    except BaseException as error:  # noqa: BLE001  a forked child must not run on in its parent's frames
        print(f"cannot start {spec.command[0]}: {error!r}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(128)


def build_root(spec: Spec) -> None:
    """Build the container's root on a small tmpfs, enter it, and make it read-only."""
    readable = kernel.MS_RDONLY | kernel.MS_NOSUID
    extra = [(path, path, readable | kernel.MS_NODEV) for path in _FROM_HOST if Path(path).exists()]
    devices = [(path, path, readable | kernel.MS_NOEXEC) for path in _DEVICES]
    mounts = sorted([*spec.mounts, *extra, *devices], key=lambda one: one[0].count("/"))
    kernel.mount("tmpfs", spec.root, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=0755")
    root = Path(spec.root)
    skeleton(root, [("/proc", "/proc"), *((place, source) for place, source, _ in mounts)], spec.hostname, spec.uid)
    for place, source, flags in mounts:
        target = root / place.lstrip("/")
        if not target.exists():  # its parent is a mount that came just now
            target.mkdir(parents=True)
        kernel.bind(source, str(target), flags)
    kernel.mount("proc", str(root / "proc"), "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    kernel.mount("none", spec.root, None, kernel.MS_REMOUNT | readable | kernel.MS_NODEV, "size=1m,mode=0755")
    kernel.pivot(spec.root)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
