"""The Job of an attempt, whole: a change of what runs beside hostile code shows in this file's diff."""

from backtest.manifest import Attempt, ClusterSettings, job_manifest
from sandbox import policy

JOB = "0b0fd2a3-3f0f-4a52-9f54-3d9d7c3b6a01"
LABELS = {"app.kubernetes.io/name": "backtest", "tapedeck/job": JOB, "tapedeck/attempt": "2"}
NO_PRIVILEGE = {
    "runAsNonRoot": True,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
SETTINGS = ClusterSettings(
    namespace="backtests",
    sidecar_image="registry.example/sidecar:1",
    strategy_image="registry.example/strategy:1",
    runs_bucket="the-runs",
    market_bucket="the-market",
    credentials_url="https://internal.example/live/credentials",
    region="us-east-1",
)
SIDECAR = {
    "name": "sidecar",
    "image": "registry.example/sidecar:1",
    "restartPolicy": "Always",
    "command": ["/opt/venv/bin/python", "-I", "-B", "-u", "-m", "sidecar"],
    "env": [
        {"name": "JOB_ID", "value": JOB},
        {"name": "ATTEMPT", "value": "2"},
        {"name": "MANIFEST_DIGEST", "value": "d" * 64},
        {"name": "DEADLINE_SECONDS", "value": "5400"},
        {"name": "RUNS_BUCKET", "value": "the-runs"},
        {"name": "MARKET_BUCKET", "value": "the-market"},
        {"name": "SANDBOX", "value": "gvisor"},
        {"name": "CACHE_URL", "value": "http://cache.tapedeck-system.svc.cluster.local:8471"},
        {"name": "CACHE_DIR", "value": "/var/lib/tapedeck/cache"},
        {"name": "AWS_REGION", "value": "us-east-1"},
        {"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "https://internal.example/live/credentials"},
        {"name": "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "value": "/var/run/secrets/tapedeck/token"},
        *({"name": k, "value": v} for k, v in policy.load().instructions.items()),
    ],
    "resources": {
        "requests": {"cpu": "500m", "memory": "1024Mi"},
        "limits": {"cpu": "500m", "memory": "1024Mi"},
    },
    "securityContext": {"runAsUser": 65533, "runAsGroup": 65533, **NO_PRIVILEGE},
    "volumeMounts": [
        {"name": "exchange-in", "mountPath": "/exchange/in"},
        {"name": "exchange-out", "mountPath": "/exchange/out"},
        {"name": "sidecar-tmp", "mountPath": "/tmp"},
        {"name": "token", "mountPath": "/var/run/secrets/tapedeck", "readOnly": True},
        {"name": "cache", "mountPath": "/var/lib/tapedeck/cache", "readOnly": True},
    ],
}
STRATEGY = {
    "name": "strategy",
    "image": "registry.example/strategy:1",
    "command": ["/opt/venv/bin/python", "-s", "-P", "-B", "-u", "-m", "sandbox.launcher"],
    "env": [{"name": k, "value": v} for k, v in policy.load().environment.items()],
    "resources": {
        "requests": {"cpu": "1500m", "memory": "3072Mi"},
        "limits": {"cpu": "1500m", "memory": "3072Mi"},
    },
    "securityContext": {"runAsUser": 65532, "runAsGroup": 65532, **NO_PRIVILEGE},
    "volumeMounts": [
        {"name": "exchange-in", "mountPath": "/exchange/in", "readOnly": True},
        {"name": "exchange-out", "mountPath": "/exchange/out"},
        {"name": "strategy-tmp", "mountPath": "/tmp"},
    ],
}
VOLUMES = [
    {"name": "exchange-in", "emptyDir": {"medium": "Memory", "sizeLimit": "768Mi"}},
    {"name": "exchange-out", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    {"name": "strategy-tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}},
    {"name": "sidecar-tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    {
        "name": "token",
        "projected": {
            "defaultMode": 0o444,
            "sources": [
                {
                    "serviceAccountToken": {
                        "audience": "tapedeck-credentials",
                        "expirationSeconds": 3600,
                        "path": "token",
                    }
                }
            ],
        },
    },
    {"name": "cache", "hostPath": {"path": "/var/lib/tapedeck/cache", "type": "DirectoryOrCreate"}},
]


def test_the_job_of_an_attempt_is_this_and_nothing_else() -> None:
    assert job_manifest(Attempt(JOB, 2, "d" * 64, 5400), SETTINGS, policy.load()) == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"bt-{JOB}-2", "namespace": "backtests", "labels": LABELS},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": 5400,
            "ttlSecondsAfterFinished": 3600,
            "template": {
                "metadata": {
                    "labels": LABELS,
                    "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
                },
                "spec": {
                    "runtimeClassName": "gvisor",
                    "restartPolicy": "Never",
                    "serviceAccountName": "sidecar",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 90,
                    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                    "initContainers": [SIDECAR],
                    "containers": [STRATEGY],
                    "volumes": VOLUMES,
                },
            },
        },
    }


def test_the_strategys_environment_holds_no_address_and_no_credential() -> None:
    for name, value in policy.load().environment.items():
        assert "AWS" not in name
        assert "://" not in value
