"""The node: runs a pod's containers in Kubernetes' order and leaves nothing of them but logs and their records."""

from __future__ import annotations

import shutil
import sys
import traceback

from infra.local.cluster import answers
from infra.local.cluster.answers import ApiError
from infra.local.cluster.cgroup import Groups
from infra.local.cluster.config import Config
from infra.local.cluster.container_run import Machine
from infra.local.cluster.pod import HostPath, JobSpec
from infra.local.cluster.pod_run import PodRun
from infra.local.cluster.records import PodRecord
from infra.local.cluster.tokens import Issuer
from infra.local.cluster.untrusted import Sandbox


class LocalNode:
    """Runs pods on this machine; `engine` may be the reason why there is none."""

    def __init__(self, config: Config, engine: Sandbox | str, groups: Groups | None, issuer: Issuer) -> None:
        self._config = config
        self._engine = engine
        self._groups = groups
        self._issuer = issuer
        self._logs = config.state / "logs"
        self._pods = config.state / "pods"
        for folder in (self._logs, self._pods):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

    def check(self, spec: JobSpec) -> None:
        """Raise `ApiError` 422 for an image or host path that is not mapped, 503 without a sandbox engine."""
        for one in (*spec.pod.sidecars, spec.pod.main):
            if one.image not in self._config.images:
                raise answers.invalid("Job.batch", f"container {one.name!r}: no image {one.image!r} here")
        for name, volume in spec.pod.volumes.items():
            if isinstance(volume, HostPath) and volume.path not in self._config.host_paths:
                raise answers.invalid("Job.batch", f"volume {name!r}: hostPath {volume.path!r} is not mapped here")
        untrusted = self._config.images[spec.pod.main.image].target == "strategy"
        if untrusted and spec.pod.runtime_class != "gvisor":
            why = "spec.template.spec.runtimeClassName: untrusted code runs under gvisor only"
            raise answers.invalid("Job.batch", why)
        if isinstance(self._engine, str):
            raise ApiError(503, "ServiceUnavailable", self._engine)

    def log(self, pod: PodRecord, container: str) -> bytes:
        """Return the kept output; raises `KeyError` without such a container."""
        if container not in [one.name for one in (*pod.spec.pod.sidecars, pod.spec.pod.main)]:
            raise KeyError(container)
        path = self._logs / pod.name / container
        return path.read_bytes() if path.exists() else b""

    def forget(self, pod: PodRecord) -> None:
        """Remove the pod's logs."""
        shutil.rmtree(self._logs / pod.name, ignore_errors=True)

    def run(self, pod: PodRecord) -> None:
        """Run a pod to its end."""
        assert not isinstance(self._engine, str)  # `check` refused the Job otherwise
        machine = Machine(self._config, self._engine, self._groups, self._issuer)
        run = PodRun(machine, pod, self._pods / pod.name, self._logs / pod.name)
        try:
            run.run()
        except Exception:  # noqa: BLE001  whatever happens to one pod, it ends as failed and the node goes on
            traceback.print_exc(file=sys.stderr)
            pod.phase = "Failed"
        finally:
            run.close()
