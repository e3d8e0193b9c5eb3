"""The state of Jobs, pods and containers, and how it looks from outside: the JSON that Kubernetes would show."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from infra.local.cluster.pod import Container, JobSpec

Phase = Literal["Pending", "Running", "Succeeded", "Failed"]
Ending = Literal["Deleted", "DeadlineExceeded"]


@dataclass
class ContainerRecord:
    """One container's state: `state` and `last` are Kubernetes ContainerState objects."""

    spec: Container
    state: dict[str, Any] = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last: dict[str, Any] = field(default_factory=dict)
    restarts: int = 0

    def view(self) -> dict[str, Any]:
        """Return the ContainerStatus."""
        running = "running" in self.state
        return {
            "name": self.spec.name,
            "image": self.spec.image,
            "imageID": self.spec.image,
            "ready": running,
            "started": running,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last,
        }


@dataclass
class PodRecord:
    """One pod; `ending` says why it is being ended before its time, and until when it may take."""

    name: str
    uid: str
    job_name: str
    job_uid: str
    spec: JobSpec
    created: datetime
    phase: Phase = "Pending"
    started: datetime | None = None
    ending: Ending | None = None
    deleted: datetime | None = None
    kill_at: float = float("inf")  # time.monotonic()
    stop: threading.Event = field(default_factory=threading.Event)
    annotations: dict[str, str] = field(default_factory=dict)
    sidecars: list[ContainerRecord] = field(init=False)
    main: ContainerRecord = field(init=False)

    def __post_init__(self) -> None:
        self.sidecars = [ContainerRecord(container) for container in self.spec.pod.sidecars]
        self.main = ContainerRecord(self.spec.pod.main)

    def end(self, why: Ending, grace_seconds: float) -> None:
        """Ask for the pod's end: SIGTERM now, SIGKILL after the grace; asking again may only shorten it."""
        self.kill_at = min(self.kill_at, time.monotonic() + grace_seconds)
        self.ending = self.ending or why
        self.deleted = self.deleted or now()
        self.stop.set()

    def labels(self) -> dict[str, str]:
        """Return the template's labels and those that the Job controller adds."""
        own = {"job-name": self.job_name, "controller-uid": self.job_uid}
        return {**self.spec.pod_labels, **own, **{f"batch.kubernetes.io/{name}": value for name, value in own.items()}}

    def view(self) -> dict[str, Any]:
        """Return the v1 Pod, without the parts of its spec that nobody here reads."""
        owner: dict[str, Any] = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": self.job_name,
            "uid": self.job_uid,
            "controller": True,
        }
        meta: dict[str, Any] = {
            "name": self.name,
            "namespace": self.spec.namespace,
            "uid": self.uid,
            "labels": self.labels(),
            "annotations": {**self.spec.pod_annotations, **self.annotations},
            "creationTimestamp": stamp(self.created),
            "ownerReferences": [owner],
        }
        if self.deleted:
            meta["deletionTimestamp"] = stamp(self.deleted)
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta,
            "spec": {
                "serviceAccountName": self.spec.pod.service_account,
                "runtimeClassName": self.spec.pod.runtime_class,
                "nodeName": "local" if self.started else None,
                "containers": [_asked(self.main.spec)],
            },
            "status": {
                "phase": self.phase,
                "startTime": stamp(self.started) if self.started else None,
                "initContainerStatuses": [container.view() for container in self.sidecars],
                "containerStatuses": [self.main.view()],
            },
        }


@dataclass
class JobRecord:
    """One Job as posted, and what became of it."""

    manifest: Mapping[str, Any]
    spec: JobSpec
    uid: str
    created: datetime
    deadline: float  # time.monotonic(), infinity without one
    pod: PodRecord | None = None
    finished: datetime | None = None
    forget_at: float = float("inf")  # time.monotonic()
    condition: dict[str, Any] | None = None

    def finish(self, succeeded: bool, reason: str | None, message: str) -> None:
        """Set the terminal condition."""
        self.finished = now()
        self.condition = {
            "type": "Complete" if succeeded else "Failed",
            "status": "True",
            "lastTransitionTime": stamp(self.finished),
            "reason": reason,
            "message": message,
        }
        if self.spec.ttl_seconds is not None:
            self.forget_at = time.monotonic() + self.spec.ttl_seconds

    def view(self) -> dict[str, Any]:
        """Return the batch/v1 Job."""
        own = {
            "uid": self.uid,
            "namespace": self.spec.namespace,
            "creationTimestamp": stamp(self.created),
            "generation": 1,
        }
        status: dict[str, Any] = {"startTime": stamp(self.created), "uncountedTerminatedPods": {}}
        if self.condition is None:
            ending = self.pod is not None and self.pod.ending is not None
            running = self.pod is not None and self.pod.phase == "Running" and not ending
            status |= {"active": 0 if ending else 1, "terminating": int(ending), "ready": int(running)}
        else:
            complete = self.condition["type"] == "Complete"
            status |= {"conditions": [self.condition], "succeeded" if complete else "failed": 1}
            if complete:
                status["completionTime"] = self.condition["lastTransitionTime"]
        metadata = {**self.manifest["metadata"], **own}
        return {**self.manifest, "metadata": metadata, "status": status}


def _asked(spec: Container) -> dict[str, Any]:
    return {"name": spec.name, "resources": {"limits": {"memory": f"{spec.memory >> 20}Mi"}}}


def now() -> datetime:
    """Return the time, UTC, with its microseconds cut as Kubernetes shows none."""
    return datetime.now(UTC).replace(microsecond=0)


def stamp(at: datetime) -> str:
    """Return an RFC 3339 time in seconds."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
