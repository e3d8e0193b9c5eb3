"""The handle on the local cluster process, which runs the Jobs: writes its configuration out of the template."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from infra.local.assembly import Assembly
from infra.local.child import Child, StartError
from infra.local.cluster import certificate
from infra.local.deploy import DeployError
from infra.local.endpoints import Endpoints
from infra.local.ports import HOST
from infra.local.wires import KubernetesCluster, Wires

_START_LIMIT_S = 60.0
_ENGINE = "engine.json"


class JobsCluster:
    """One local cluster. Its address and certificate are known before it starts: functions carry them."""

    def __init__(self, state: Path, port: int) -> None:
        self._state = state / "cluster"
        self._port = port
        self._certificate, self._key = state / "cluster.crt", state / "cluster.key"
        certificate.ensure(self._certificate, self._key)
        self._child: Child | None = None

    @property
    def endpoint(self) -> str:
        """The URL of its API, which is also the issuer of its tokens."""
        return f"https://{HOST}:{self._port}"

    @property
    def authority(self) -> str:
        """The certificate that clients trust, as EKS gives it: base64 of PEM."""
        return base64.b64encode(self._certificate.read_bytes()).decode()

    def folder(self, path: str) -> Path:
        """Return what stands for a folder of the node."""
        return self._state / "host" / path.strip("/")

    def start(
        self,
        cluster: KubernetesCluster,
        *,
        images: Mapping[str, Mapping[str, str]],
        endpoints: Endpoints,
        environment: dict[str, str],
        logs: Path,
        max_pods: int,
        allow_weak_sandbox: bool,
        remembered: Path,
    ) -> None:
        """Start the process and wait until it answers; raises StartError.

        `remembered` is a file that outlives the stack: which sandbox engine withstood the attack on this machine.
        """
        configuration = self._configuration(cluster, images, endpoints) | {
            "max_pods": max_pods,
            "allow_weak_sandbox": allow_weak_sandbox,
        }
        for folder in (self._state, *map(Path, configuration["host_paths"].values())):
            folder.mkdir(parents=True, exist_ok=True)
        if remembered.exists():
            shutil.copy(remembered, self._state / _ENGINE)
        path = self._state / "config.json"
        path.write_text(json.dumps(configuration, indent=1))
        command = [sys.executable, "-m", "infra.local.cluster", str(path)]
        self._child = Child("the local cluster", command, logs / "cluster.log", environment)
        refusal = self._child.answer(_START_LIMIT_S)["refusal"]
        if refusal is not None:
            raise StartError(f"{refusal} (log: {self._child.log})")
        if (self._state / _ENGINE).exists():
            remembered.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self._state / _ENGINE, remembered)

    def _configuration(
        self, cluster: KubernetesCluster, images: Mapping[str, Mapping[str, str]], endpoints: Endpoints
    ) -> dict[str, Any]:
        return {
            "listen": [HOST, self._port],
            "state": str(self._state),
            "certificate": str(self._certificate),
            "key": str(self._key),
            "issuer": self.endpoint,
            "region": cluster.region,
            "cluster_name": cluster.name,
            "sts_endpoint": endpoints.aws,
            "images": images,
            "access": cluster.access,
            "manifests": cluster.manifests,
            "env": {"sidecar": endpoints.sidecar()},
            "host_paths": {path: str(self.folder(path)) for path in host_paths(cluster.manifests)},
        }

    def stop(self) -> None:
        """End the process, and with it every pod."""
        if self._child is not None:
            self._child.stop(timeout_s=30)


def images(assembly: Assembly, wires: Wires, venvs: Path) -> dict[str, dict[str, str]]:
    """Return what stands for each image that a function's environment names: the build context and an environment."""
    found: dict[str, dict[str, str]] = {}
    for function in wires.functions.values():
        for value in function.environment.values():
            if value.rpartition(":")[2] not in assembly.images:
                continue
            image = assembly.image(value)
            venv = venvs / image.target
            if not venv.exists():
                raise DeployError(f"{function.path}: no environment {venv} for the image {value}: run `make setup`")
            _compile(image.directory, venv / "bin" / "python")
            found[value] = {"target": image.target, "code": str(image.directory), "venv": str(venv)}
    return found


def _compile(code: Path, python: Path) -> None:
    """Compile an image's code once, as the image's build does: no pod can, for it cannot write there.

    The folder's name is the digest of what it holds, so the sources need not be looked at again.
    """
    if not (code / "__pycache__").exists():
        command = [str(python), "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(code)]
        subprocess.run(command, check=True, timeout=120)


def host_paths(documents: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the folders of the node that the documents' pods mount."""
    for document in documents:
        volumes = document.get("spec", {}).get("template", {}).get("spec", {}).get("volumes", [])
        yield from (volume["hostPath"]["path"] for volume in volumes if "hostPath" in volume)
