"""Jobs and pods over the API, with a node whose pods end when the test says so."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra.local.cluster.answers import ApiError
from infra.local.cluster.api import cut, parse, selector
from infra.local.cluster.jobs import Jobs
from infra.local.cluster.pod import JobSpec
from infra.local.cluster.rbac import Ask
from infra.local.cluster.records import Phase, PodRecord
from tests.unit.job_manifests import JOB, MANIFESTS, NAMESPACE, manifest

OTHER = JOB.replace("0f", "1f")


class Node:
    """Runs a pod until `end` is called for it, or it is stopped."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.ends: dict[str, Phase] = {}

    def check(self, spec: JobSpec) -> None: ...

    def run(self, pod: PodRecord) -> None:
        pod.phase = "Running"
        self.started.append(pod.job_name)
        while not pod.stop.wait(0.005):
            if pod.job_name in self.ends:
                pod.phase = self.ends[pod.job_name]
                return
        pod.phase = "Failed"

    def log(self, pod: PodRecord, container: str) -> bytes:
        return {"strategy": b"one\ntwo\n"}[container]

    def forget(self, pod: PodRecord) -> None: ...


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def jobs(node: Node) -> Iterator[Jobs]:
    subject = Jobs(node, MANIFESTS, max_pods=1)
    yield subject
    subject.close()


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)


def conditions(jobs: Jobs, job: str) -> list[tuple[str, str]]:
    status = jobs.job(NAMESPACE, f"bt-{job}-1")["status"]
    return [(one["type"], one["reason"]) for one in status.get("conditions", [])]


def test_a_job_runs_one_pod_and_is_complete_when_it_succeeds(jobs: Jobs, node: Node) -> None:
    made = jobs.create(NAMESPACE, manifest())
    assert made["metadata"]["name"] == f"bt-{JOB}-1"
    until(lambda: node.started)
    [pod] = jobs.pods(NAMESPACE, selector({"labelSelector": f"job-name=bt-{JOB}-1"}))
    assert pod["metadata"]["name"].startswith(f"bt-{JOB}-1-")
    assert len(pod["metadata"]["name"]) == len(f"bt-{JOB}-1-") + 5
    assert pod["status"]["phase"] == "Running"
    assert jobs.job(NAMESPACE, f"bt-{JOB}-1")["status"]["active"] == 1
    node.ends[f"bt-{JOB}-1"] = "Succeeded"
    until(lambda: conditions(jobs, JOB))
    assert conditions(jobs, JOB) == [("Complete", "CompletionsReached")]
    assert jobs.job(NAMESPACE, f"bt-{JOB}-1")["status"]["succeeded"] == 1


def test_a_failed_pod_fails_its_job_without_another_try(jobs: Jobs, node: Node) -> None:
    node.ends[f"bt-{JOB}-1"] = "Failed"
    jobs.create(NAMESPACE, manifest())
    until(lambda: conditions(jobs, JOB))
    assert conditions(jobs, JOB) == [("Failed", "BackoffLimitExceeded")]
    assert node.started == [f"bt-{JOB}-1"]


def test_no_more_than_max_pods_run_and_the_rest_wait_in_order(jobs: Jobs, node: Node) -> None:
    jobs.create(NAMESPACE, manifest())
    jobs.create(NAMESPACE, manifest(OTHER))
    until(lambda: node.started)
    time.sleep(0.05)
    assert node.started == [f"bt-{JOB}-1"]
    [waiting] = jobs.pods(NAMESPACE, selector({"labelSelector": f"tapedeck/job={OTHER}"}))
    assert waiting["status"]["phase"] == "Pending"
    node.ends[f"bt-{JOB}-1"] = "Succeeded"
    until(lambda: len(node.started) == 2)


def test_the_deadline_ends_a_running_job_and_a_waiting_one(jobs: Jobs, node: Node) -> None:
    jobs.create(NAMESPACE, manifest(deadline=1))
    jobs.create(NAMESPACE, manifest(OTHER, deadline=1))
    until(lambda: conditions(jobs, JOB) and conditions(jobs, OTHER))
    assert conditions(jobs, JOB) == conditions(jobs, OTHER) == [("Failed", "DeadlineExceeded")]


def test_a_deleted_job_is_gone_at_once_and_its_pod_soon(jobs: Jobs, node: Node) -> None:
    jobs.create(NAMESPACE, manifest())
    until(lambda: node.started)
    jobs.delete(NAMESPACE, f"bt-{JOB}-1")
    with pytest.raises(ApiError) as gone:
        jobs.job(NAMESPACE, f"bt-{JOB}-1")
    assert (gone.value.code, gone.value.reason) == (404, "NotFound")
    until(lambda: not jobs.pods(NAMESPACE, selector({})))


def test_an_evicted_pod_fails_its_job(jobs: Jobs, node: Node) -> None:
    jobs.create(NAMESPACE, manifest())
    until(lambda: node.started)
    [pod] = jobs.pods(NAMESPACE, selector({}))
    jobs.delete_pod(NAMESPACE, pod["metadata"]["name"])
    until(lambda: conditions(jobs, JOB))
    assert conditions(jobs, JOB) == [("Failed", "BackoffLimitExceeded")]


def test_a_finished_job_is_forgotten_after_its_ttl(jobs: Jobs, node: Node) -> None:
    node.ends[f"bt-{JOB}-1"] = "Succeeded"
    brief = manifest()
    brief["spec"]["ttlSecondsAfterFinished"] = 0
    jobs.create(NAMESPACE, brief)
    until(lambda: not jobs.jobs(NAMESPACE, selector({})) and not jobs.pods(NAMESPACE, selector({})))


def refused(act: Callable[[], object]) -> tuple[int, str, str]:
    with pytest.raises(ApiError) as error:
        act()
    return error.value.code, error.value.reason, str(error.value)


def test_errors_are_worded_as_kubernetes_words_them(jobs: Jobs) -> None:
    jobs.create(NAMESPACE, manifest())
    name = f"bt-{JOB}-1"
    assert refused(lambda: jobs.create(NAMESPACE, manifest())) == (
        409, "AlreadyExists", f'jobs.batch "{name}" already exists')  # fmt: skip
    assert refused(lambda: jobs.create("nowhere", manifest()))[:2] == (404, "NotFound")
    odd = manifest(OTHER)
    odd["spec"]["parallelism"] = 3
    assert refused(lambda: jobs.create(NAMESPACE, odd))[:2] == (422, "Invalid")
    assert "spec.parallelism" in refused(lambda: jobs.create(NAMESPACE, odd))[2]
    odd = manifest(OTHER)
    odd["spec"]["template"]["spec"]["serviceAccountName"] = "admin"
    assert "serviceAccountName: 'admin' not found" in refused(lambda: jobs.create(NAMESPACE, odd))[2]
    odd["spec"]["template"]["spec"] |= {"serviceAccountName": "sidecar", "runtimeClassName": "runc"}
    assert "runtimeClassName: 'runc' not found" in refused(lambda: jobs.create(NAMESPACE, odd))[2]
    assert refused(lambda: jobs.log(NAMESPACE, "none", None))[0] == 404


def test_a_job_posted_at_once_by_many_is_made_once(jobs: Jobs) -> None:
    codes: list[int] = []

    def post() -> None:
        try:
            jobs.create(NAMESPACE, manifest())
            codes.append(201)
        except ApiError as error:
            codes.append(error.code)

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [201] + [409] * 7


@pytest.mark.parametrize(
    ("method", "path", "ask"),
    [
        ("POST", "/apis/batch/v1/namespaces/n/jobs", Ask("create", "batch", "jobs", "n")),
        ("GET", "/apis/batch/v1/namespaces/n/jobs", Ask("list", "batch", "jobs", "n")),
        ("DELETE", "/apis/batch/v1/namespaces/n/jobs/j", Ask("delete", "batch", "jobs", "n", "j")),
        ("GET", "/api/v1/namespaces/n/pods/p", Ask("get", "", "pods", "n", "p")),
        ("GET", "/api/v1/namespaces/n/pods/p/log", Ask("get", "", "pods/log", "n", "p")),
        ("GET", "/openid/v1/jwks", Ask("get", path="/openid/v1/jwks")),
    ],
)
def test_each_route_asks_for_its_verb_and_resource(method: str, path: str, ask: Ask) -> None:
    assert parse(method, path) == ask


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/api/v1/namespaces/n/jobs", 404),
        ("GET", "/apis/batch/v1/namespaces/n/pods", 404),
        ("GET", "/apis/batch/v1/namespaces/n/jobs/j/log", 404),
        ("GET", "/version", 404),
        ("POST", "/apis/batch/v1/namespaces/n/jobs/j", 405),
        ("PATCH", "/apis/batch/v1/namespaces/n/jobs/j", 405),
        ("DELETE", "/api/v1/namespaces/n/pods/p/log", 405),
    ],
)
def test_anything_else_is_no_route(method: str, path: str, code: int) -> None:
    assert refused(lambda: parse(method, path))[0] == code


def test_a_log_is_cut_by_lines_and_by_bytes() -> None:
    assert cut(b"a\nb\nc\n", {"tailLines": "2"}) == b"b\nc\n"
    assert cut(b"a\nb\nc\n", {"tailLines": "0"}) == b""
    assert cut(b"a\nb\nc\n", {"tailLines": "2", "limitBytes": "1"}) == b"b"
    assert refused(lambda: cut(b"", {"tailLines": "x"}))[0] == 400


def test_what_the_api_shows_is_json(jobs: Jobs, node: Node) -> None:
    jobs.create(NAMESPACE, manifest())
    until(lambda: node.started)
    assert json.dumps(jobs.jobs(NAMESPACE, selector({}))) and json.dumps(jobs.pods(NAMESPACE, selector({})))
