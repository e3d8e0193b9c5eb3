"""The Job controller: one pod a Job, at most so many at once, in order; deadlines, endings, forgetting."""

from __future__ import annotations

import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from infra.local.cluster import answers
from infra.local.cluster.fields import FieldError
from infra.local.cluster.pod import JobSpec, decode
from infra.local.cluster.records import JobRecord, PodRecord, now

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes' alphabet for generated names
_STOP_GRACE_S = 3.0


class Node(Protocol):
    """What runs pods."""

    def check(self, spec: JobSpec) -> None:
        """Raise `ApiError` when this node would never run such a pod."""

    def run(self, pod: PodRecord) -> None:
        """Run a pod to its end and leave nothing behind but its logs; keeps the record up to date, never raises."""

    def log(self, pod: PodRecord, container: str) -> bytes:
        """Return what the node kept of a container's output; raises `KeyError` without such a container."""

    def forget(self, pod: PodRecord) -> None:
        """Remove the pod's logs."""


class Jobs:
    """The namespaced Jobs and pods; every method is safe to call from any thread and returns JSON-ready objects."""

    def __init__(self, node: Node, manifests: Iterable[Mapping[str, Any]], max_pods: int) -> None:
        self._node = node
        self._max_pods = max_pods
        self._jobs: dict[tuple[str, str], JobRecord] = {}
        self._pods: dict[tuple[str, str], PodRecord] = {}
        self._waiting: list[PodRecord] = []
        self._running: dict[str, threading.Thread] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._known = {(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in manifests}
        self._controller = threading.Thread(target=self._control, name="jobs", daemon=True)
        self._controller.start()

    def create(self, namespace: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Take a Job; raises `ApiError` 404, 409 or 422."""
        self._check_namespace(namespace)
        try:
            spec = decode(manifest, namespace)
        except FieldError as error:
            raise answers.invalid("Job.batch", str(error)) from error
        self._check_references(spec)
        with self._changed:
            if (namespace, spec.name) in self._jobs:
                raise answers.already_exists("jobs.batch", spec.name)
            limit = float("inf") if spec.deadline_seconds is None else spec.deadline_seconds
            job = JobRecord(manifest, spec, str(uuid.uuid4()), now(), time.monotonic() + limit)
            name = f"{spec.name}-{''.join(secrets.choice(_LETTERS) for _ in range(5))}"
            job.pod = PodRecord(name, str(uuid.uuid4()), spec.name, job.uid, spec, now())
            self._jobs[namespace, spec.name] = job
            self._pods[namespace, name] = job.pod
            self._waiting.append(job.pod)
            self._changed.notify_all()
            return job.view()

    def job(self, namespace: str, name: str) -> dict[str, Any]:
        """Return a Job; raises `ApiError` 404."""
        with self._changed:
            return self._job(namespace, name).view()

    def jobs(self, namespace: str, matches: Callable[[Mapping[str, str]], bool]) -> list[dict[str, Any]]:
        """Return the Jobs of a namespace whose labels match."""
        with self._changed:
            views = [job.view() for (space, _), job in self._jobs.items() if space == namespace]
        return [view for view in views if matches(view["metadata"].get("labels", {}))]

    def delete(self, namespace: str, name: str) -> dict[str, Any]:
        """Forget a Job and end its pod, in the background; raises `ApiError` 404."""
        with self._changed:
            job = self._job(namespace, name)
            del self._jobs[namespace, name]
            if job.pod is not None:
                self._end(job.pod)
        return answers.deleted("jobs", name)

    def pod(self, namespace: str, name: str) -> dict[str, Any]:
        """Return a pod; raises `ApiError` 404."""
        with self._changed:
            return self._pod(namespace, name).view()

    def pods(self, namespace: str, matches: Callable[[Mapping[str, str]], bool]) -> list[dict[str, Any]]:
        """Return the pods of a namespace whose labels match."""
        with self._changed:
            return [p.view() for (space, _), p in self._pods.items() if space == namespace and matches(p.labels())]

    def delete_pod(self, namespace: str, name: str) -> dict[str, Any]:
        """End a pod as an eviction does: its Job fails, for it may not start another; raises `ApiError` 404."""
        with self._changed:
            self._end(self._pod(namespace, name))
        return answers.deleted("pods", name)

    def log(self, namespace: str, name: str, container: str | None) -> bytes:
        """Return a container's output (default: the main one's); raises `ApiError` 400 or 404."""
        with self._changed:
            pod = self._pod(namespace, name)
        try:
            return self._node.log(pod, container or pod.main.spec.name)
        except KeyError as error:
            raise answers.bad_request(f"container {container!r} is not in pod {name!r}") from error

    def close(self) -> None:
        """End every pod, quickly, and return when nothing of them is left."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            for pod in self._pods.values():
                if pod.uid in self._running:
                    pod.end("Deleted", _STOP_GRACE_S)
            threads = list(self._running.values())
            self._changed.notify_all()
        for thread in (*threads, self._controller):
            thread.join()

    def _job(self, namespace: str, name: str) -> JobRecord:
        if (namespace, name) not in self._jobs:
            raise answers.not_found("jobs.batch", name)
        return self._jobs[namespace, name]

    def _pod(self, namespace: str, name: str) -> PodRecord:
        if (namespace, name) not in self._pods:
            raise answers.not_found("pods", name)
        return self._pods[namespace, name]

    def _check_namespace(self, namespace: str) -> None:
        if ("Namespace", None, namespace) not in self._known:
            raise answers.not_found("namespaces", namespace)

    def _check_references(self, spec: JobSpec) -> None:
        pod, at = spec.pod, "spec.template.spec"
        if ("ServiceAccount", spec.namespace, pod.service_account) not in self._known:
            raise answers.invalid("Job.batch", f"{at}.serviceAccountName: {pod.service_account!r} not found")
        if pod.runtime_class and ("RuntimeClass", None, pod.runtime_class) not in self._known:
            raise answers.invalid("Job.batch", f"{at}.runtimeClassName: {pod.runtime_class!r} not found")
        self._node.check(spec)

    def _end(self, pod: PodRecord) -> None:
        """Ask for a pod's end; one that waits, or has ended, goes at once. The lock is held."""
        if pod.uid in self._running:
            pod.end("Deleted", pod.spec.pod.grace_seconds)
            return
        if pod in self._waiting:
            self._waiting.remove(pod)
            pod.phase = "Failed"
            pod.ending = "Deleted"
            self._conclude(pod)
        self._drop(pod)

    def _control(self) -> None:
        with self._changed:
            while not self._closed:
                self._changed.wait(self._step())

    def _step(self) -> float | None:
        """Do what is due; return the seconds until something will be, None for never. The lock is held."""
        at = time.monotonic()
        for job in list(self._jobs.values()):
            if job.finished is None and job.deadline <= at and job.pod is not None:
                self._exceed(job, job.pod)
            if job.forget_at <= at:
                del self._jobs[job.spec.namespace, job.spec.name]
                if job.pod is not None:
                    self._drop(job.pod)
        while self._waiting and len(self._running) < self._max_pods:
            pod = self._waiting.pop(0)
            thread = threading.Thread(target=self._run, args=(pod,), name=pod.name, daemon=True)
            self._running[pod.uid] = thread
            thread.start()
        coming = [job.forget_at if job.finished else job.deadline for job in self._jobs.values()]
        coming = [moment for moment in coming if at < moment < float("inf")]
        return max(0.01, min(coming) - at) if coming else None

    def _exceed(self, job: JobRecord, pod: PodRecord) -> None:
        if pod.uid in self._running:
            if pod.ending is None:
                pod.end("DeadlineExceeded", pod.spec.pod.grace_seconds)
        elif pod in self._waiting:
            self._waiting.remove(pod)
            pod.phase, pod.ending = "Failed", "DeadlineExceeded"
            self._conclude(pod)

    def _run(self, pod: PodRecord) -> None:
        self._node.run(pod)
        with self._changed:
            self._running.pop(pod.uid)
            self._conclude(pod)
            if pod.ending == "Deleted":
                self._drop(pod)
            self._changed.notify_all()

    def _conclude(self, pod: PodRecord) -> None:
        """Give the pod's Job its end, unless it has been deleted meanwhile. The lock is held."""
        job = self._jobs.get((pod.spec.namespace, pod.job_name))
        if job is None or job.uid != pod.job_uid or job.finished is not None:
            return
        if pod.ending == "DeadlineExceeded":
            job.finish(False, "DeadlineExceeded", "Job was active longer than specified deadline")
        elif pod.phase == "Succeeded":
            job.finish(True, "CompletionsReached", "Reached expected number of succeeded pods")
        else:
            job.finish(False, "BackoffLimitExceeded", "Job has reached the specified backoff limit")

    def _drop(self, pod: PodRecord) -> None:
        self._pods.pop((pod.spec.namespace, pod.name), None)
        self._node.forget(pod)
