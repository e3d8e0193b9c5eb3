"""The Job that the platform makes, for the tests of what takes it."""

from __future__ import annotations

from typing import Any

from backtest.manifest import Attempt, ClusterSettings, job_manifest
from sandbox import policy

NAMESPACE = "backtests"
JOB = "0f8fad5b-d9cb-469f-a165-70867728950e"
SETTINGS = ClusterSettings(
    namespace=NAMESPACE,
    sidecar_image="images/sidecar:1",
    strategy_image="images/strategy:1",
    runs_bucket="runs",
    market_bucket="market",
    credentials_url="https://api.example/credentials",
    region="us-east-1",
)
MANIFESTS: tuple[dict[str, Any], ...] = (
    {"kind": "Namespace", "metadata": {"name": NAMESPACE}},
    {"kind": "ServiceAccount", "metadata": {"name": "sidecar", "namespace": NAMESPACE}},
    {"kind": "RuntimeClass", "metadata": {"name": "gvisor"}, "handler": "runsc"},
    {
        "kind": "Role",
        "metadata": {"name": "dispatcher", "namespace": NAMESPACE},
        "rules": [
            {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "list", "delete"]},
            {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]},
        ],
    },
    {
        "kind": "RoleBinding",
        "metadata": {"name": "dispatchers", "namespace": NAMESPACE},
        "roleRef": {"kind": "Role", "name": "dispatcher"},
        "subjects": [{"kind": "Group", "name": "backtest-dispatchers"}],
    },
    {
        "kind": "ClusterRole",
        "metadata": {"name": "token-reader"},
        "rules": [{"nonResourceURLs": ["/openid/v1/jwks"], "verbs": ["get"]}],
    },
    {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "token-readers"},
        "roleRef": {"kind": "ClusterRole", "name": "token-reader"},
        "subjects": [{"kind": "Group", "name": "backtest-token-readers"}],
    },
)


def manifest(job: str = JOB, attempt: int = 1, deadline: int = 600, digest: str = "d" * 64) -> dict[str, Any]:
    """Return the Job of an attempt."""
    return job_manifest(Attempt(job, attempt, digest, deadline), SETTINGS, policy.load())
