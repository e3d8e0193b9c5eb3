"""The Kubernetes Job of one attempt: a pure function from job and settings to a plain dict, tested whole.

One pod, two containers: the *sidecar* (trusted, a native sidecar: an init container with restartPolicy Always) and the
*strategy* (hostile). Nothing secret stands in the spec. The only credential is the sidecar's projected token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backtest import layout
from sandbox.policy import Policy

TOKEN_AUDIENCE = "tapedeck-credentials"
TOKEN_DIR = "/var/run/secrets/tapedeck"
CACHE_DIR = "/var/lib/tapedeck/cache"
CACHE_URL = "http://cache.tapedeck-system.svc.cluster.local:8471"  # of the pod's own node: infra/k8s/cache.yaml
SERVICE_ACCOUNT = "sidecar"
RUNTIME_CLASS = "gvisor"


@dataclass(frozen=True)
class Attempt:
    """One attempt of a job; `deadline_seconds` is what is left of the run's time."""

    job: str
    attempt: int
    manifest_digest: str
    deadline_seconds: int


@dataclass(frozen=True)
class ClusterSettings:
    """What the manifest needs to know of the deployment."""

    namespace: str
    sidecar_image: str
    strategy_image: str
    runs_bucket: str
    market_bucket: str
    credentials_url: str
    region: str


def job_manifest(attempt: Attempt, settings: ClusterSettings, policy: Policy) -> dict[str, Any]:
    """Return the batch/v1 Job that runs `attempt`."""
    labels = {
        "app.kubernetes.io/name": "backtest",
        "tapedeck/job": attempt.job,
        "tapedeck/attempt": str(attempt.attempt),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": layout.job_name(attempt.job, attempt.attempt),
            "namespace": settings.namespace,
            "labels": labels,
        },
        "spec": {
            "backoffLimit": 0,  # retrying is the platform's decision, with a new manifest
            "activeDeadlineSeconds": attempt.deadline_seconds,
            "ttlSecondsAfterFinished": 3600,
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
                },
                "spec": _pod(attempt, settings, policy),
            },
        },
    }


def _pod(attempt: Attempt, settings: ClusterSettings, policy: Policy) -> dict[str, Any]:
    return {
        "runtimeClassName": RUNTIME_CLASS,
        "restartPolicy": "Never",
        "serviceAccountName": SERVICE_ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": policy.termination_grace_seconds,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [_sidecar(attempt, settings, policy)],
        "containers": [_strategy(settings, policy)],
        "volumes": [
            _memory("exchange-in", policy.volumes["exchange_in_mib"]),
            _memory("exchange-out", policy.volumes["exchange_out_mib"]),
            _memory("strategy-tmp", policy.volumes["strategy_tmp_mib"]),
            _memory("sidecar-tmp", policy.volumes["sidecar_tmp_mib"]),
            {
                "name": "token",
                "projected": {
                    "defaultMode": 0o444,
                    "sources": [
                        {
                            "serviceAccountToken": {
                                "audience": TOKEN_AUDIENCE,
                                "expirationSeconds": 3600,
                                "path": "token",
                            }
                        }
                    ],
                },
            },
            {"name": "cache", "hostPath": {"path": CACHE_DIR, "type": "DirectoryOrCreate"}},
        ],
    }


def _sidecar(attempt: Attempt, settings: ClusterSettings, policy: Policy) -> dict[str, Any]:
    environment = {
        "JOB_ID": attempt.job,
        "ATTEMPT": str(attempt.attempt),
        "MANIFEST_DIGEST": attempt.manifest_digest,
        "DEADLINE_SECONDS": str(attempt.deadline_seconds),
        "RUNS_BUCKET": settings.runs_bucket,
        "MARKET_BUCKET": settings.market_bucket,
        "SANDBOX": RUNTIME_CLASS,
        "CACHE_URL": CACHE_URL,
        "CACHE_DIR": CACHE_DIR,
        "AWS_REGION": settings.region,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": settings.credentials_url,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": f"{TOKEN_DIR}/token",
        **policy.instructions,
    }
    return {
        "name": "sidecar",
        "image": settings.sidecar_image,
        "restartPolicy": "Always",
        "command": ["/opt/venv/bin/python", "-I", "-B", "-u", "-m", "sidecar"],
        "env": [{"name": k, "value": v} for k, v in environment.items()],
        "resources": _resources(policy.sidecar.cpu_milli, policy.sidecar.memory_mib),
        "securityContext": _security(policy.sidecar.uid),
        "volumeMounts": [
            {"name": "exchange-in", "mountPath": "/exchange/in"},
            {"name": "exchange-out", "mountPath": "/exchange/out"},
            {"name": "sidecar-tmp", "mountPath": "/tmp"},
            {"name": "token", "mountPath": TOKEN_DIR, "readOnly": True},
            {"name": "cache", "mountPath": CACHE_DIR, "readOnly": True},
        ],
    }


def _strategy(settings: ClusterSettings, policy: Policy) -> dict[str, Any]:
    return {
        "name": "strategy",
        "image": settings.strategy_image,
        "command": ["/opt/venv/bin/python", "-s", "-P", "-B", "-u", "-m", "sandbox.launcher"],
        "env": [{"name": k, "value": v} for k, v in policy.environment.items()],
        "resources": _resources(policy.strategy.cpu_milli, policy.strategy.memory_mib),
        "securityContext": _security(policy.strategy.uid),
        "volumeMounts": [
            {"name": "exchange-in", "mountPath": "/exchange/in", "readOnly": True},
            {"name": "exchange-out", "mountPath": "/exchange/out"},
            {"name": "strategy-tmp", "mountPath": "/tmp"},
        ],
    }


def _memory(name: str, mib: int) -> dict[str, Any]:
    return {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": f"{mib}Mi"}}


def _resources(cpu_milli: int, memory_mib: int) -> dict[str, Any]:
    amount = {"cpu": f"{cpu_milli}m", "memory": f"{memory_mib}Mi"}
    return {"requests": dict(amount), "limits": dict(amount)}


def _security(uid: int) -> dict[str, Any]:
    return {
        "runAsUser": uid,
        "runAsGroup": uid,
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
