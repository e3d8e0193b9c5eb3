"""A container as an OCI bundle for runsc: a pure function, tested whole.

The root is an empty, read-only skeleton; what Python needs is bound into it read-only: the interpreter at its own path
(moved, its RPATH would miss and it would load the distribution's libpython), the locked environment at /opt/venv, our
code at /opt/tapedeck. No shell, no /usr/bin, no certificate, no setuid file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.local.cluster.pod import Container, EmptyDir, PodSpec

VENV = "/opt/venv"
CODE = "/opt/tapedeck"
STRATEGY_CODE = ("tapedeck", "sandbox", "contract.py")  # all of the image's code that the strategy's container sees

_READ_ONLY = ["rbind", "ro", "nosuid", "nodev"]
_TMPFS = ["nosuid", "nodev", "noexec"]


@dataclass(frozen=True)
class Image:
    """What stands for a container image here: the docker asset's bytes and its locked environment, by absolute path.

    `system` are the host's paths that its interpreter needs, each bound at its own place.
    """

    target: str
    code: str
    venv: str
    system: tuple[str, ...]


def bundle(
    pod: PodSpec, container: Container, *, image: Image, folders: Mapping[str, str], hostname: str, cgroup: str
) -> dict[str, Any]:
    """Return the bundle's config.json; `folders` says where on the host each of the pod's volumes lies."""
    user = {"uid": container.uid, "gid": container.gid, "additionalGids": []}
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": user,
            "args": list(container.command),
            "env": [f"{name}={value}" for name, value in container.env.items()],
            "cwd": "/",
            "noNewPrivileges": True,
            "capabilities": {kind: [] for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")},
            "rlimits": [],  # a pod's spec has no field for them: the launcher sets them, here as in the cluster
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": hostname,
        "mounts": _order([*_kernel(), *_python(image), *_volumes(pod, container, folders)]),
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
            "cgroupsPath": cgroup,  # exists already: runsc would remove its own, and the OOM count with it
            "resources": {},
        },
    }


def strategy_mounts(image: Image) -> list[tuple[str, str]]:
    """Return (place, source) of what an untrusted container sees of its image."""
    own = [(path, path) for path in image.system]
    code = [(f"{CODE}/{name}", f"{image.code}/{name}") for name in STRATEGY_CODE]
    return [*own, (VENV, image.venv), *code]


def _kernel() -> list[dict[str, Any]]:
    return [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        _tmpfs("/dev", 64 << 10, "755"),
        _tmpfs("/dev/shm", 64 << 20, "1777"),  # without it multiprocessing.Lock fails
    ]


def _python(image: Image) -> list[dict[str, Any]]:
    return [_bind(place, source, _READ_ONLY) for place, source in strategy_mounts(image)]


def _volumes(pod: PodSpec, container: Container, folders: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the container's volumes: a folder that it shares with nobody is the sentry's own tmpfs."""
    mounts = []
    for mount in container.mounts:
        volume = pod.volumes[mount.volume]
        if isinstance(volume, EmptyDir) and not mount.read_only and _users(pod, mount.volume) == 1:
            mounts.append(_tmpfs(mount.path, volume.size, "1777"))
        else:
            options = ["rbind", "ro" if mount.read_only else "rw", *_TMPFS]
            mounts.append(_bind(mount.path, folders[mount.volume], options))
    return mounts


def _users(pod: PodSpec, volume: str) -> int:
    return sum(mount.volume == volume for one in (*pod.sidecars, pod.main) for mount in one.mounts)


def _bind(place: str, source: str, options: Sequence[str]) -> dict[str, Any]:
    return {"destination": place, "type": "bind", "source": source, "options": list(options)}


def _tmpfs(place: str, size: int, mode: str) -> dict[str, Any]:
    options = [*_TMPFS, f"mode={mode}", f"size={size}"]
    return {"destination": place, "type": "tmpfs", "source": "tmpfs", "options": options}


def _order(mounts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return parents before what lies below them, so that no mount hides another (an interpreter below /tmp, say)."""
    return sorted(mounts, key=lambda mount: str(mount["destination"]).count("/"))
