"""What a deployment learnt from the template about who calls whom: plain records, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Function:
    """One Lambda function: where its bytes lie and how it is run."""

    name: str
    arn: str
    path: str
    handler: str
    task_root: Path
    layers: tuple[Path, ...]
    environment: Mapping[str, str]
    timeout_s: int
    memory_mb: int
    role_arn: str
    workers: int
    region: str


@dataclass(frozen=True)
class QueueMapping:
    """An event source mapping from a queue to a function."""

    function: str
    queue_arn: str
    queue_url: str
    batch_size: int
    window_s: float
    report_failures: bool
    concurrency: int


@dataclass(frozen=True)
class Method:
    """One method of a REST API. `authorization` is "AWS_IAM" or "NONE"."""

    http_method: str
    path: str
    authorization: str
    function: str


@dataclass
class RestApi:
    """A REST API; its execute-api host begins with `id`."""

    id: str
    name: str
    region: str
    binary_media_types: tuple[str, ...]
    stage: str = ""
    methods: list[Method] = field(default_factory=list)


@dataclass(frozen=True)
class EventRule:
    """An EventBridge rule with a pattern; its targets are queues."""

    arn: str
    pattern: Mapping[str, Any]
    queue_arns: tuple[str, ...]


@dataclass(frozen=True)
class BucketNotification:
    """A native S3 notification to a queue."""

    bucket: str
    queue_arn: str
    events: tuple[str, ...]
    prefix: str
    suffix: str


@dataclass(frozen=True)
class Schedule:
    """A rule with a rate() or cron() expression, and the function that it invokes with `event` (None: the default)."""

    arn: str
    expression: str
    function: str
    event: Mapping[str, Any] | None


@dataclass
class Role:
    """An IAM role; `path` is its construct path, `policies` are resolved documents."""

    arn: str
    name: str
    path: str
    trust: Mapping[str, Any]
    max_duration_s: int
    policies: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass
class KubernetesCluster:
    """The EKS cluster: who may call it as what, who its pods are, the documents applied to it."""

    name: str
    region: str
    access: dict[str, list[str]] = field(default_factory=dict)
    identities: dict[tuple[str, str], str] = field(default_factory=dict)
    """Namespace and service account to the ARN of the role that their pods have."""
    manifests: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Wires:
    """All of it."""

    functions: dict[str, Function] = field(default_factory=dict)
    mappings: list[QueueMapping] = field(default_factory=list)
    apis: dict[str, RestApi] = field(default_factory=dict)
    rules: list[EventRule] = field(default_factory=list)
    notifications: list[BucketNotification] = field(default_factory=list)
    schedules: list[Schedule] = field(default_factory=list)
    triggers: list[str] = field(default_factory=list)
    roles: dict[str, Role] = field(default_factory=dict)
    clusters: dict[str, KubernetesCluster] = field(default_factory=dict)
    queues: dict[str, str] = field(default_factory=dict)
    """Queue ARN to URL."""

    def called(self) -> tuple[str, ...]:
        """Return the functions that queues, routes or schedules call, each once."""
        methods = (method.function for api in self.apis.values() for method in api.methods)
        mapped = (mapping.function for mapping in self.mappings)
        return tuple(dict.fromkeys([*methods, *mapped, *(schedule.function for schedule in self.schedules)]))
