"""A pod's volumes on the node: memory with a size and a number of files, a projected token, a mapped folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from infra.local.cluster import kernel
from infra.local.cluster.pod import EmptyDir, HostPath, Token
from infra.local.cluster.records import PodRecord
from infra.local.cluster.tokens import Issuer

_FILES = 4096  # a size does not bound empty files
_ROTATE_AT = 0.8  # of a token's life, as the kubelet does
_FLAGS = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC


class Volumes:
    """The volumes of one pod below `folder`; `folders` says where each lies."""

    def __init__(self, pod: PodRecord, folder: Path, issuer: Issuer, host_paths: Mapping[str, Path]) -> None:
        self.folders: dict[str, str] = {}
        self._pod = pod
        self._issuer = issuer
        self._mounted: list[str] = []
        self._due: dict[str, float] = {}
        for name, volume in pod.spec.pod.volumes.items():
            if isinstance(volume, HostPath):
                self.folders[name] = str(host_paths[volume.path])
                host_paths[volume.path].mkdir(parents=True, exist_ok=True)
                continue
            place = folder / name
            place.mkdir(parents=True)
            self.folders[name] = str(place)
            size, mode = (volume.size, "0777") if isinstance(volume, EmptyDir) else (1 << 20, "0755")
            kernel.mount("tmpfs", str(place), "tmpfs", _FLAGS, f"size={size},nr_inodes={_FILES},mode={mode}")
            self._mounted.append(str(place))
        self.rotate()

    def rotate(self) -> None:
        """Write each token that is new or has used up most of its life."""
        for name, volume in self._pod.spec.pod.volumes.items():
            if isinstance(volume, Token) and self._due.get(name, 0.0) <= time.monotonic():
                self._write(Path(self.folders[name]), volume)
                self._due[name] = time.monotonic() + volume.seconds * _ROTATE_AT

    def remove(self) -> None:
        """Take the mounts away, and what was in them."""
        for place in self._mounted:
            with suppress(OSError):
                kernel.unmount(place)

    def _write(self, folder: Path, volume: Token) -> None:
        token = self._issuer.token(
            audience=volume.audience,
            seconds=volume.seconds,
            namespace=self._pod.spec.namespace,
            service_account=self._pod.spec.pod.service_account,
            pod=self._pod.name,
            pod_uid=self._pod.uid,
        )
        temporary = folder / f".{volume.path}"
        temporary.write_text(token)
        temporary.chmod(volume.mode)
        temporary.rename(folder / volume.path)
