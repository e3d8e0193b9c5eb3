"""The node's cache daemon: the DaemonSet of the template, run as one confined process beside the pods.

It has the manifest's environment, uid and folder, the image's bytes, and the role that the template gives its service
account; what differs is in the table of endpoints. Nobody waits for it: a run without a cache reads S3.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from infra.local.assembly import Assembly
from infra.local.child import Child
from infra.local.cluster.bundle import CODE, VENV
from infra.local.cluster.host_init import Spec
from infra.local.cluster.interpreter import system_paths
from infra.local.cluster.kernel import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY
from infra.local.iam import Principal
from infra.local.wires import KubernetesCluster

_NAME = "cache"
_VENV = "sidecar"  # container_runner/Dockerfile gives both the same environment


class NodeCache:
    """The daemon of one cluster's manifests; `folder` gives what stands for a folder of the node."""

    def __init__(
        self, cluster: KubernetesCluster, assembly: Assembly, *, folder: Callable[[str], Path], state: Path
    ) -> None:
        daemon = _daemon_set(cluster)
        self._pod: dict[str, Any] = daemon["spec"]["template"]["spec"]
        (self._container,) = self._pod["containers"]
        self.identity = (daemon["metadata"]["namespace"], self._pod["serviceAccountName"])
        self._code = assembly.image(self._container["image"]).directory
        (volume,) = self._pod["volumes"]
        self._folder, self._state = folder(volume["hostPath"]["path"]), state
        self._child: Child | None = None

    def start(
        self,
        *,
        session: Principal,
        endpoints: Mapping[str, str],
        venvs: Path,
        environment: Mapping[str, str],
        log: Path,
    ) -> None:
        """Start the process; as an unprivileged user, who cannot make its namespaces, start none."""
        if os.geteuid() != 0:
            return
        self._state.mkdir(parents=True)
        (self._state / "root").mkdir()
        path = self._state / "spec.json"
        path.touch(0o600)  # it holds the role's keys
        path.write_text(json.dumps(asdict(self._spec(session, endpoints, (venvs / _VENV).resolve()))))
        self._folder.mkdir(parents=True, exist_ok=True)
        uid = self._container["securityContext"]["runAsUser"]
        os.chown(self._folder, uid, uid)  # as the node's boot script does
        command = [sys.executable, "-s", "-P", "-B", "-m", "infra.local.cluster.host_init", str(path)]
        self._child = Child("the node's cache", command, log, environment)

    def stop(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.stop()

    def _spec(self, session: Principal, endpoints: Mapping[str, str], venv: Path) -> Spec:
        security = self._container["securityContext"]
        (mount,) = self._container["volumeMounts"]
        read_only = MS_RDONLY | MS_NOSUID | MS_NODEV
        own = [(path, path, read_only) for path in system_paths(venv)]
        return Spec(
            root=str(self._state / "root"),
            command=self._container["command"],
            env={
                **{variable["name"]: variable["value"] for variable in self._container["env"]},
                "AWS_ACCESS_KEY_ID": session.access_key,
                "AWS_SECRET_ACCESS_KEY": session.secret_key,
                "AWS_SESSION_TOKEN": session.token or "",
                **endpoints,
            },
            uid=security["runAsUser"],
            gid=security["runAsGroup"],
            hostname=_NAME,
            cgroup_entries=[],
            mounts=[
                *own,
                (VENV, str(venv), read_only),
                (CODE, str(self._code), read_only),
                (mount["mountPath"], str(self._folder), MS_NOSUID | MS_NODEV | MS_NOEXEC),
            ],
            parent=os.getpid(),
        )


def _daemon_set(cluster: KubernetesCluster) -> dict[str, Any]:
    (daemon,) = [d for d in cluster.manifests if (d["kind"], d["metadata"]["name"]) == ("DaemonSet", _NAME)]
    return daemon
