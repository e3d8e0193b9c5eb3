"""Strict decoding: what the platform's Job says is understood whole, anything else is refused by its path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.cluster.fields import FieldError
from infra.local.cluster.pod import EmptyDir, HostPath, Token, decode
from tests.unit.job_manifests import JOB, NAMESPACE, manifest


def test_the_platforms_job_is_understood_whole() -> None:
    job = decode(manifest(), NAMESPACE)
    pod = job.pod
    assert (job.name, job.deadline_seconds, job.ttl_seconds) == (f"bt-{JOB}-1", 600, 3600)
    assert job.pod_labels["tapedeck/attempt"] == "1"
    assert (pod.runtime_class, pod.service_account, pod.grace_seconds) == ("gvisor", "sidecar", 90)
    assert [one.name for one in (*pod.sidecars, pod.main)] == ["sidecar", "strategy"]
    assert (pod.main.uid, pod.main.cpu_milli, pod.main.memory) == (65532, 1500, 3072 << 20)
    assert (pod.sidecars[0].uid, pod.sidecars[0].cpu_milli, pod.sidecars[0].memory) == (65533, 500, 1024 << 20)
    assert pod.volumes["exchange-out"] == EmptyDir(64 << 20)
    assert pod.volumes["token"] == Token("tapedeck-credentials", 3600, "token", 0o444)
    assert pod.volumes["cache"] == HostPath("/var/lib/tapedeck/cache")


def objects(value: object, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        step = f"[{key}]" if isinstance(value, list) else f".{key}" if path else str(key)
        yield from objects(item, path + step)


PATHS = [path for path, _ in objects(manifest()) if not path.endswith(("labels", "annotations"))]


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_field_is_refused_wherever_it_stands(path: str) -> None:
    changed = manifest()
    dict(objects(changed))[path]["surprise"] = "x"
    with pytest.raises(FieldError, match="surprise"):
        decode(changed, NAMESPACE)


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("spec", "backoffLimit", 1),
        ("spec", "activeDeadlineSeconds", 0),
        ("spec.template.spec", "restartPolicy", "OnFailure"),
        ("spec.template.spec", "automountServiceAccountToken", True),
        ("spec.template.spec", "hostNetwork", True),
        ("spec.template.spec.containers[0].securityContext", "runAsUser", 0),
        ("spec.template.spec.containers[0].securityContext", "readOnlyRootFilesystem", False),
        ("spec.template.spec.containers[0].securityContext.capabilities", "drop", []),
        ("spec.template.spec.containers[0].resources.requests", "memory", "1Gi"),
        ("spec.template.spec.containers[0].resources.limits", "cpu", "1.5"),
        ("spec.template.spec.containers[0].volumeMounts[0]", "mountPath", "/exchange/../etc"),
        ("spec.template.spec.containers[0].volumeMounts[0]", "name", "none"),
        ("spec.template.spec.initContainers[0]", "restartPolicy", "Never"),
        ("spec.template.spec.initContainers[0].volumeMounts[4]", "readOnly", False),
        ("spec.template.spec.volumes[0].emptyDir", "medium", ""),
        ("spec.template.spec.volumes[4].projected.sources[0].serviceAccountToken", "path", "../token"),
        ("metadata", "namespace", "kube-system"),
        ("metadata", "name", "Not_A_Label"),
    ],
)
def test_an_unsupported_value_is_refused_by_its_path(path: str, field: str, value: object) -> None:
    changed = manifest()
    dict(objects(changed))[path][field] = value
    with pytest.raises(FieldError) as refused:
        decode(changed, NAMESPACE)
    assert refused.value.path.startswith(path.rpartition(".")[0])


def test_a_job_without_deadline_or_ttl_has_none() -> None:
    changed = manifest()
    del changed["spec"]["activeDeadlineSeconds"], changed["spec"]["ttlSecondsAfterFinished"]
    job = decode(changed, NAMESPACE)
    assert (job.deadline_seconds, job.ttl_seconds) == (None, None)
