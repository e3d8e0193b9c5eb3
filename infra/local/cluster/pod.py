"""What a Job asks of the node: the batch/v1 manifest decoded strictly into values that the node can carry out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from infra.local.cluster.fields import FieldError, Fields

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_MEMORY = re.compile(r"([1-9][0-9]*)(Ki|Mi|Gi)")
_CPU = re.compile(r"([1-9][0-9]*)(m?)")
_SCALE = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


@dataclass(frozen=True)
class EmptyDir:
    """A memory-backed folder of at most `size` bytes."""

    size: int


@dataclass(frozen=True)
class Token:
    """A folder with a projected service-account token in it, valid for `seconds`."""

    audience: str
    seconds: int
    path: str
    mode: int


@dataclass(frozen=True)
class HostPath:
    """A folder of the node."""

    path: str


Volume = EmptyDir | Token | HostPath


@dataclass(frozen=True)
class Mount:
    """Where a container sees a volume."""

    volume: str
    path: str
    read_only: bool


@dataclass(frozen=True)
class Container:
    """One container; memory in bytes, CPU in thousandths."""

    name: str
    image: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    cpu_milli: int
    memory: int
    uid: int
    gid: int
    mounts: tuple[Mount, ...]


@dataclass(frozen=True)
class PodSpec:
    """A pod: `sidecars` run beside `main`, which decides how the pod ends."""

    runtime_class: str | None
    service_account: str
    grace_seconds: int
    sidecars: tuple[Container, ...]
    main: Container
    volumes: Mapping[str, Volume]


@dataclass(frozen=True)
class JobSpec:
    """A Job with backoffLimit 0: one pod, once."""

    name: str
    namespace: str
    deadline_seconds: int | None
    ttl_seconds: int | None
    pod_labels: Mapping[str, str]
    pod_annotations: Mapping[str, str]
    pod: PodSpec


def decode(manifest: object, namespace: str) -> JobSpec:
    """Return what a Job posted to `namespace` asks for; raises `FieldError` at the first thing not done here."""
    with Fields(manifest, "") as job:
        job.only("apiVersion", "batch/v1")
        job.only("kind", "Job")
        with job.nested("metadata") as meta:
            name = _name(meta, "name")
            meta.only("namespace", namespace, default=namespace)
            meta.texts("labels", {})
            meta.texts("annotations", {})
        with job.nested("spec") as spec, spec.nested("template") as template:
            spec.only("backoffLimit", 0)
            deadline = spec.natural("activeDeadlineSeconds", least=1) if spec.has("activeDeadlineSeconds") else None
            ttl = spec.natural("ttlSecondsAfterFinished") if spec.has("ttlSecondsAfterFinished") else None
            labels, annotations = _template_metadata(template)
            return JobSpec(name, namespace, deadline, ttl, labels, annotations, _pod(template.nested("spec")))


def _template_metadata(template: Fields) -> tuple[dict[str, str], dict[str, str]]:
    with template.nested("metadata") as meta:
        return meta.texts("labels", {}), meta.texts("annotations", {})


def _pod(fields: Fields) -> PodSpec:
    with fields as pod:
        runtime_class = pod.get("runtimeClassName", str, None)
        pod.only("restartPolicy", "Never")
        pod.only("automountServiceAccountToken", False)
        pod.only("enableServiceLinks", False)
        service_account = pod.get("serviceAccountName", str)
        grace = pod.natural("terminationGracePeriodSeconds", 30)
        with pod.nested("securityContext") as security:
            security.only("runAsNonRoot", True)
            with security.nested("seccompProfile") as profile:
                profile.only("type", "RuntimeDefault")
        volumes = dict(_volume(volume) for volume in pod.objects("volumes", []))
        sidecars = tuple(_container(one, volumes, sidecar=True) for one in pod.objects("initContainers", []))
        mains = [_container(one, volumes, sidecar=False) for one in pod.objects("containers")]
        names = [one.name for one in (*sidecars, *mains)]
        if len(mains) != 1 or len(set(names)) != len(names):
            raise FieldError(pod.at("containers"), "one main container beside native sidecars, each with its own name")
        return PodSpec(runtime_class, service_account, grace, sidecars, mains[0], volumes)


def _container(fields: Fields, volumes: Mapping[str, Volume], *, sidecar: bool) -> Container:
    with fields as one:
        if sidecar:
            one.only("restartPolicy", "Always")
        cpu, memory = _resources(one.nested("resources"))
        uid, gid = _security(one.nested("securityContext"))
        return Container(
            name=_name(one, "name"),
            image=one.get("image", str),
            command=one.strings("command"),
            env=dict(_variable(variable) for variable in one.objects("env", [])),
            cpu_milli=cpu,
            memory=memory,
            uid=uid,
            gid=gid,
            mounts=tuple(_mount(mount, volumes) for mount in one.objects("volumeMounts", [])),
        )


def _variable(fields: Fields) -> tuple[str, str]:
    with fields as variable:
        return variable.get("name", str), variable.get("value", str)


def _resources(fields: Fields) -> tuple[int, int]:
    with fields as resources:
        with resources.nested("limits") as limits:
            cpu, memory = _cpu(limits), _memory(limits, "memory")
        with resources.nested("requests") as requests:
            if (_cpu(requests), _memory(requests, "memory")) != (cpu, memory):
                raise FieldError(requests.path, "must equal the limits")
        return cpu, memory


def _security(fields: Fields) -> tuple[int, int]:
    with fields as security:
        security.only("runAsNonRoot", True)
        security.only("readOnlyRootFilesystem", True)
        security.only("allowPrivilegeEscalation", False)
        with security.nested("capabilities") as capabilities:
            capabilities.only("drop", ["ALL"])
        return security.natural("runAsUser", least=1), security.natural("runAsGroup", least=1)


def _mount(fields: Fields, volumes: Mapping[str, Volume]) -> Mount:
    with fields as mount:
        path, name = mount.get("mountPath", str), mount.get("name", str)
        read_only = mount.get("readOnly", bool, False)
        if name not in volumes:
            raise FieldError(mount.at("name"), f"no volume {name!r}")
        if not path.startswith("/") or ".." in path.split("/") or path.rstrip("/") == "":
            raise FieldError(mount.at("mountPath"), "must be an absolute path below the root, without '..'")
        if isinstance(volumes[name], HostPath) and not read_only:
            raise FieldError(mount.at("readOnly"), "a folder of the node is mounted read-only")
        return Mount(name, path, read_only)


def _volume(fields: Fields) -> tuple[str, Volume]:
    with fields as volume:
        name = _name(volume, "name")
        kinds = {"emptyDir": _empty_dir, "projected": _projected, "hostPath": _host_path}
        present = [kind for kind in kinds if volume.has(kind)]
        if len(present) != 1:
            raise FieldError(volume.path, f"exactly one of {', '.join(kinds)}")
        return name, kinds[present[0]](volume.nested(present[0]))


def _empty_dir(fields: Fields) -> Volume:
    with fields as source:
        source.only("medium", "Memory")
        return EmptyDir(_memory(source, "sizeLimit"))


def _host_path(fields: Fields) -> Volume:
    with fields as source:
        source.only("type", "Directory", "DirectoryOrCreate")
        return HostPath(source.get("path", str))


def _projected(fields: Fields) -> Volume:
    with fields as source:
        mode = source.natural("defaultMode", 0o644)
        sources = source.objects("sources")
        if len(sources) != 1:
            raise FieldError(source.at("sources"), "exactly one serviceAccountToken")
        with sources[0] as one, one.nested("serviceAccountToken") as token:
            path = token.get("path", str)
            if "/" in path or path in ("", ".", ".."):
                raise FieldError(token.at("path"), "must be a plain file name")
            return Token(token.get("audience", str), token.natural("expirationSeconds", 3600, 600), path, mode)


def _name(fields: Fields, field: str) -> str:
    name = fields.get(field, str)
    if not _NAME.fullmatch(name):
        raise FieldError(fields.at(field), "must be a DNS label: a-z, 0-9 and '-', at most 63 characters")
    return name


def _cpu(fields: Fields) -> int:
    text = fields.get("cpu", str)
    if not (m := _CPU.fullmatch(text)):
        raise FieldError(fields.at("cpu"), f"{text!r} is not a number of CPUs")
    return int(m[1]) * (1 if m[2] else 1000)


def _memory(fields: Fields, name: str) -> int:
    text = fields.get(name, str)
    if not (m := _MEMORY.fullmatch(text)):
        raise FieldError(fields.at(name), f"{text!r} is not a number of bytes in Ki, Mi or Gi")
    return int(m[1]) * _SCALE[m[2]]
