"""What the sandbox measures need of the machine: the engine that runs untrusted code, cgroups, a folder, images."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backtest.manifest import Attempt, ClusterSettings, job_manifest
from benchmarks.environments import ROOT, VENVS
from infra.local.cluster.bundle import Image
from infra.local.cluster.cgroup import Groups
from infra.local.cluster.engine import Engine, probe
from infra.local.cluster.interpreter import system_paths
from infra.local.cluster.pod import PodSpec, decode
from sandbox import policy

CODE = ROOT / "container_runner"
_NAMESPACE = "bench"


@dataclass(frozen=True)
class Machine:
    """One engine, one folder in memory, as a pod's volumes are."""

    engine: Engine
    groups: Groups
    folder: Path

    def image(self) -> Image:
        """Return the strategy's image."""
        venv = VENVS / "strategy"
        return Image("strategy", str(CODE), str(venv), system_paths(venv))


@contextmanager
def machine() -> Iterator[Machine]:
    """Yield the machine; raises `EngineUnavailableError` without gVisor and `SystemExit` without writable cgroups."""
    groups = Groups("tapedeck-bench")
    if not groups.usable():
        raise SystemExit("the sandbox is measured in CPU seconds of a cgroup: run as root, with writable cgroups")
    folder = Path(tempfile.mkdtemp(prefix="tapedeck-bench-", dir="/dev/shm"))
    folder.chmod(0o755)
    try:
        yield Machine(probe(CODE, VENVS / "strategy", folder), groups, folder)
    finally:
        groups.sweep()
        shutil.rmtree(folder)


def pod() -> PodSpec:
    """Return the pod that the platform asks for."""
    settings = ClusterSettings(_NAMESPACE, "sidecar", "strategy", "runs", "market", "https://credentials", "us-east-1")
    attempt = Attempt("0f8fad5b-d9cb-469f-a165-70867728950e", 1, "d" * 64, 600)
    return decode(job_manifest(attempt, settings, policy.load()), _NAMESPACE).pod
