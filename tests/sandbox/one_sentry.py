"""A pod as Kubernetes runs it under gVisor: both containers in one sentry, by the annotations that containerd sets.

The node of the local stack gives each container a sandbox of its own, which is stronger; here it is the cluster's way.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.cluster.bundle import CODE, Image, bundle
from infra.local.cluster.bundle_folder import write_bundle
from infra.local.cluster.cgroup import Group
from infra.local.cluster.engine import Engine
from infra.local.cluster.interpreter import system_paths
from infra.local.cluster.pod import Container, PodSpec, decode
from tests.unit.job_manifests import NAMESPACE, manifest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "container_runner"
VENVS = ROOT / "build" / "venvs"
READ_ONLY = ["rbind", "ro", "nosuid", "nodev"]
PAUSE = "import signal; signal.pause()"
# The sidecar as it is, but for its stores: folders, since a sandbox of a test has no network.
SIDECAR = """
import os, sys, threading
from pathlib import Path
from sandbox import policy
from sidecar.attempt import Attempt
from sidecar.exchange import Exchange
from sidecar.settings import Settings
from tapedeck.market.store import FolderStore
store = Path("/store")
runs, market = FolderStore(store / "runs"), FolderStore(store / "market")
attempt = Attempt(
    Settings.from_env(os.environ), policy.load(), runs=runs, market=market,
    exchange=Exchange(Path("/exchange/in"), Path("/exchange/out")), state=Path("/tmp"), terminated=threading.Event(),
)
sys.exit(attempt.run())
"""


@dataclass
class OneSentry:
    """A pod of two containers in one sentry, in one cgroup; `store` is what the sidecar has for S3."""

    engine: Engine
    group: Group
    folder: Path
    store: Path

    def __post_init__(self) -> None:
        self.name = f"one-{uuid.uuid4().hex[:12]}"
        self.pod: PodSpec = decode(manifest(), NAMESPACE).pod
        self.folders = {name: str(self.folder / name) for name in self.pod.volumes}
        for place in self.folders.values():
            Path(place).mkdir(parents=True)
            Path(place).chmod(0o777)
        for path in (self.folder, *self.folder.parents):
            if path != Path("/tmp") and path.is_relative_to("/tmp"):
                path.chmod(0o755)
        self._started: list[str] = []

    @contextmanager
    def running(self, settings: Mapping[str, str]) -> Iterator[None]:
        """Start both containers; end the sandbox after the block."""
        [sidecar] = self.pod.sidecars
        pause = self._config(self.pod.main, "strategy")
        pause["process"]["args"] = ["/opt/venv/bin/python", "-I", "-B", "-c", PAUSE]
        pause["linux"]["cgroupsPath"] = self.group.path
        trusted = self._config(sidecar, "sidecar")
        trusted["process"] |= {"args": [*sidecar.command[:4], "-c", SIDECAR]}
        trusted["process"]["env"] += [f"{name}={value}" for name, value in settings.items()]
        trusted["mounts"] += [
            *(
                {"destination": f"{CODE}/{name}", "type": "bind", "source": str(SOURCE / name), "options": READ_ONLY}
                for name in ("sidecar", "run_objects.py")
            ),
            {"destination": "/store", "type": "bind", "source": str(self.store), "options": ["rbind", "rw", "nosuid"]},
        ]
        try:
            self._start(self.name, pause, {"container-type": "sandbox"})
            inside = {"container-type": "container", "sandbox-id": self.name}
            self._start(f"{self.name}-sidecar", trusted, inside)
            self._start(f"{self.name}-strategy", self._config(self.pod.main, "strategy"), inside)
            yield
        finally:
            for name in reversed(self._started):
                self.engine.call("kill", "--all", name, "KILL")
                self.engine.call("delete", "--force", name)
            self.group.remove()

    def wait(self, container: str, seconds: float) -> int | None:
        """Return a container's exit code; None when it died with the sandbox."""
        command = self.engine.command("wait", f"{self.name}-{container}")
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
        said = done.stdout.partition('"exitStatus":')[2].strip(" }\n")
        return int(said) if done.returncode == 0 and said else None

    def printed(self) -> str:
        """Return what the containers and runsc wrote."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def _config(self, container: Container, target: str) -> dict[str, Any]:
        venv = VENVS / target
        image = Image(target, str(SOURCE), str(venv), system_paths(venv))
        return bundle(self.pod, container, image=image, folders=self.folders, hostname="one", cgroup="")

    def _start(self, name: str, config: dict[str, Any], said: Mapping[str, str]) -> None:
        config["annotations"] = {f"io.kubernetes.cri.{key}": value for key, value in said.items()}
        bundle_folder = self.folder / f"{name}-bundle"
        write_bundle(bundle_folder, config)
        self._started.append(name)
        options = [f"--root={self.engine.root}", "--network=none", f"--platform={self.engine.platform}"]
        base = [self.engine.binary, *options, *self.engine.flags]  # no setpriv: the sandbox outlives `create`
        with (self.folder / f"{name}.log").open("ab") as log:  # a pipe would stay open as long as the sandbox lives
            for command in (["create", "--bundle", str(bundle_folder), name], ["start", name]):
                subprocess.run(
                    [*base, *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL, timeout=30, check=True
                )


def own(folder: Path, uid: int) -> None:
    """Give a folder and all below it to a container's user."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid)
