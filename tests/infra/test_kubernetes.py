"""The documents that the cluster holds, and the pods that its admission policy lets in."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import kubernetes_validate
import pytest

from backtest.manifest import Attempt, ClusterSettings, job_manifest
from infra.k8s import apply
from sandbox import policy
from tests.infra.cel import CelError, evaluate
from tests.infra.template import Template

VERSION = "1.35.0"
JOB = "0b0fd2a3-3f0f-4a52-9f54-3d9d7c3b6a01"
REGISTRY = (
    "<AWS::AccountId>.dkr.ecr.us-east-1.<AWS::URLSuffix>/cdk-hnb659fds-container-assets-<AWS::AccountId>-us-east-1"
)


def find(documents: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = [d for d in documents if (d["kind"], d["metadata"]["name"]) == (kind, name)]
    return found


@pytest.fixture(scope="module")
def job(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """The Job that dispatch sends, with this deployment's images."""
    image = registry_of(documents)
    settings = ClusterSettings(
        namespace="backtests",
        sidecar_image=f"{image}:sidecar",
        strategy_image=f"{image}:strategy",
        runs_bucket="runs",
        market_bucket="market",
        credentials_url="https://internal.example/live/credentials",
        region="us-east-1",
    )
    return job_manifest(Attempt(JOB, 2, "d" * 64, 7200), settings, policy.load())


def registry_of(documents: list[dict[str, Any]]) -> str:
    image = find(documents, "DaemonSet", "cache")["spec"]["template"]["spec"]["containers"][0]["image"]
    return str(image).rpartition(":")[0]


def test_every_document_is_valid_for_the_clusters_version(cluster: Template, documents: list[dict[str, Any]]) -> None:
    assert dict(cluster.of("AWS::EKS::Cluster"))["Cluster"]["Version"] == VERSION.rpartition(".")[0]
    for document in documents:
        kubernetes_validate.validate(document, VERSION, strict=True)


def test_namespaces_come_first_and_are_what_the_others_lie_in(documents: list[dict[str, Any]]) -> None:
    names = [d["metadata"]["name"] for d in documents if d["kind"] == "Namespace"]
    assert names == ["backtests", "tapedeck-system"]
    assert [d["kind"] for d in documents[:2]] == ["Namespace", "Namespace"]
    assert {d["metadata"]["namespace"] for d in documents if "namespace" in d["metadata"]} == set(names)
    labels = find(documents, "Namespace", "backtests")["metadata"]["labels"]
    assert {k.rpartition("/")[2]: v for k, v in labels.items()} == {
        "enforce": "privileged",
        "warn": "restricted",
        "audit": "restricted",
    }


def test_the_job_may_run_where_gvisor_is_and_only_there(documents: list[dict[str, Any]], cluster: Template) -> None:
    runtime = find(documents, "RuntimeClass", "gvisor")
    assert runtime["handler"] == "runsc"
    assert runtime["scheduling"]["nodeSelector"] == {"tapedeck/pool": "backtest"}
    pools = {p.rpartition("/")[2]: r for p, r in cluster.of("AWS::EKS::Nodegroup")}
    spot = next(r for r in pools.values() if r["CapacityType"] == "SPOT")
    assert spot["Labels"] == {"tapedeck/pool": "backtest"}
    assert spot["Taints"] == [{"Key": "tapedeck/pool", "Value": "backtest", "Effect": "NO_SCHEDULE"}]
    assert len(pools) == 2


def test_nodes_install_gvisor_only_with_the_reviewed_bytes(cluster: Template) -> None:
    templates = {p: r["LaunchTemplateData"] for p, r in cluster.of("AWS::EC2::LaunchTemplate")}
    assert {t["MetadataOptions"]["HttpPutResponseHopLimit"] for t in templates.values()} == {1}
    assert {t["MetadataOptions"]["HttpTokens"] for t in templates.values()} == {"required"}
    boot = cluster.text(templates["Nodes/BacktestTemplate"]["UserData"]["Fn::Base64"])
    assert "sha512sum --check --strict" in boot
    assert "<Nodes/RunscSha512>  runsc" in boot
    assert "<Nodes/ShimSha512>  containerd-shim-runsc-v1" in boot
    assert 'plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runsc' in boot
    assert boot.index("#!/bin/bash") < boot.index("NodeConfig")
    for name in ("RunscSha512", "ShimSha512"):
        parameter = cluster.body["Parameters"][name]
        assert parameter["AllowedPattern"] == "[0-9a-f]{128}"
        assert "Default" not in parameter


def test_dispatchers_make_and_end_jobs_in_one_namespace_and_read_pods(documents: list[dict[str, Any]]) -> None:
    assert find(documents, "Role", "backtest-dispatcher") == {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "backtest-dispatcher", "namespace": "backtests"},
        "rules": [
            {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "list", "delete"]},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
            {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        ],
    }
    assert [s["name"] for s in find(documents, "RoleBinding", "backtest-dispatchers")["subjects"]] == [
        "backtest-dispatchers"
    ]


def test_token_readers_read_the_published_keys_and_nothing_else(documents: list[dict[str, Any]]) -> None:
    assert find(documents, "ClusterRole", "backtest-token-reader")["rules"] == [
        {"nonResourceURLs": ["/openid/v1/jwks", "/.well-known/openid-configuration"], "verbs": ["get"]}
    ]
    kinds = [d["metadata"]["name"] for d in documents if d["kind"] in ("Role", "ClusterRole")]
    assert sorted(kinds) == ["backtest-dispatcher", "backtest-token-reader"]


def test_functions_join_the_groups_that_the_roles_are_bound_to(control: Template, cluster: Template) -> None:
    groups = {p.split("/")[0]: r["KubernetesGroups"] for p, r in control.of("AWS::EKS::AccessEntry")}
    assert groups == {
        "Dispatch": ["backtest-dispatchers"],
        "Reconcile": ["backtest-dispatchers"],
        "Credentials": ["backtest-token-readers"],
    }
    assert [p for p, _ in cluster.of("AWS::EKS::AccessEntry")] == ["Manifests/Admin"]


def test_a_run_reaches_names_endpoints_and_storage_and_nothing_reaches_it(documents: list[dict[str, Any]]) -> None:
    deny = find(documents, "NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    runs = find(documents, "NetworkPolicy", "runs")["spec"]
    names, _, services = runs["egress"]
    assert "ingress" not in runs
    assert [p["port"] for p in names["ports"]] == [53, 53]
    assert [p["port"] for p in services["ports"]] == [443]
    ranges = [t["ipBlock"]["cidr"] for t in services["to"]]
    assert "0.0.0.0/0" not in ranges
    assert len([r for r in ranges if r.startswith("10.20.")]) == 2  # the endpoints' subnets, one a zone


def test_the_network_add_on_enforces_policies(cluster: Template) -> None:
    addon = dict(cluster.of("AWS::EKS::Addon"))["vpc-cni"]
    assert json.loads(addon["ConfigurationValues"]) == {"enableNetworkPolicy": "true"}


def test_the_cache_daemon_is_the_only_writer_of_its_folder(documents: list[dict[str, Any]]) -> None:
    pod = find(documents, "DaemonSet", "cache")["spec"]["template"]["spec"]
    assert pod["volumes"] == [{"name": "cache", "hostPath": {"path": "/var/lib/tapedeck/cache", "type": "Directory"}}]
    assert pod["containers"][0]["securityContext"]["runAsUser"] == 65531
    assert pod["nodeSelector"] == {"tapedeck/pool": "backtest"}


def test_a_sidecar_reaches_its_own_nodes_cache_and_the_cache_hears_runs_only(
    documents: list[dict[str, Any]], job: dict[str, Any], cluster: Template
) -> None:
    service = find(documents, "Service", "cache")
    assert service["spec"]["internalTrafficPolicy"] == "Local"
    (port,) = service["spec"]["ports"]
    environment = {e["name"]: e["value"] for e in job["spec"]["template"]["spec"]["initContainers"][0]["env"]}
    host = f"cache.{service['metadata']['namespace']}.svc.cluster.local"
    assert environment["CACHE_URL"] == f"http://{host}:{port['port']}"
    pod = find(documents, "DaemonSet", "cache")["spec"]["template"]
    daemon = pod["spec"]["containers"][0]
    told = {e["name"]: e["value"] for e in daemon["env"]}
    assert (port["targetPort"], daemon["ports"][0]["name"]) == ("http", "http")
    assert told["CACHE_LISTEN"].endswith(f":{daemon['ports'][0]['containerPort']}")
    assert told["CACHE_DIR"] == environment["CACHE_DIR"] == pod["spec"]["volumes"][0]["hostPath"]["path"]
    labels, runs = service["spec"]["selector"], {"app.kubernetes.io/name": "backtest"}
    assert labels.items() <= pod["metadata"]["labels"].items()
    assert runs.items() <= job["spec"]["template"]["metadata"]["labels"].items()
    out = [e for e in find(documents, "NetworkPolicy", "runs")["spec"]["egress"] if e["ports"][0]["port"] == 8471]
    ((to,),) = [e["to"] for e in out]
    assert to["podSelector"]["matchLabels"] == labels
    (inward,) = find(documents, "NetworkPolicy", "cache")["spec"]["ingress"]
    assert [f["podSelector"]["matchLabels"] for f in inward["from"]] == [runs]
    assert inward["ports"] == out[0]["ports"] == [{"protocol": "TCP", "port": port["port"]}]
    (identity,) = dict(cluster.of("AWS::EKS::PodIdentityAssociation")).values()
    assert (identity["Namespace"], identity["ServiceAccount"]) == ("tapedeck-system", pod["spec"]["serviceAccountName"])


def refusals(documents: list[dict[str, Any]], pod: Mapping[str, Any]) -> list[str]:
    """Return the messages of the admission policy's rules that a pod's spec breaks."""
    admission = find(documents, "ValidatingAdmissionPolicy", "backtest-pods")["spec"]
    names: dict[str, Any] = {"object": {"spec": pod}, "variables": {}}
    for variable in admission["variables"]:
        names["variables"][variable["name"]] = evaluate(variable["expression"], names)
    return [v["message"] for v in admission["validations"] if not holds(v["expression"], names)]


def holds(expression: str, names: Mapping[str, Any]) -> bool:
    """Under failurePolicy Fail, a rule that cannot be evaluated refuses."""
    try:
        return evaluate(expression, names) is True
    except CelError:
        return False


def test_the_admission_policy_denies_and_covers_debuggers(documents: list[dict[str, Any]]) -> None:
    admission = find(documents, "ValidatingAdmissionPolicy", "backtest-pods")["spec"]
    (rule,) = admission["matchConstraints"]["resourceRules"]
    assert rule["resources"] == ["pods", "pods/ephemeralcontainers"]
    assert rule["operations"] == ["CREATE", "UPDATE"]
    assert admission["failurePolicy"] == "Fail"
    binding = find(documents, "ValidatingAdmissionPolicyBinding", "backtest-pods")["spec"]
    assert "Deny" in binding["validationActions"]


def test_the_job_is_valid_and_the_admission_policy_lets_its_pod_in(
    documents: list[dict[str, Any]], job: dict[str, Any]
) -> None:
    kubernetes_validate.validate(job, VERSION, strict=True)
    assert refusals(documents, job["spec"]["template"]["spec"]) == []


Change = Callable[[dict[str, Any]], Any]


def changes() -> Iterator[tuple[str, str, Change]]:
    def strategy(pod: dict[str, Any]) -> dict[str, Any]:
        container: dict[str, Any] = pod["containers"][0]
        return container

    def secure(pod: dict[str, Any]) -> dict[str, Any]:
        context: dict[str, Any] = strategy(pod)["securityContext"]
        return context

    extra = {"name": "x", "hostPath": {"path": "/var/lib/tapedeck/cache"}}
    privilege = "a container has a read-only root"
    volumes = "volumes are memory"
    yield "runc", "runs are sandboxed", lambda p: p.pop("runtimeClassName")
    yield "another runtime", "runs are sandboxed", lambda p: p.update(runtimeClassName="runc")
    yield "a third container", "a run has one", lambda p: p["containers"].append(copy.deepcopy(p["containers"][0]))
    yield "a debugger", "a run has one", lambda p: p.update(ephemeralContainers=[{"name": "debug"}])
    yield "a foreign image", "images come", lambda p: strategy(p).update(image="docker.io/library/python:3.11")
    yield (
        "a look-alike registry",
        "images come",
        lambda p: strategy(p).update(image=strategy(p)["image"].replace(":", ".evil:")),
    )
    for name in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
        yield name, "the node's network", lambda p, n=name: p.update({n: True})
    yield "hostPort", "the node's network", lambda p: strategy(p).update(ports=[{"containerPort": 1, "hostPort": 1}])
    yield "no seccomp", "the pod runs as no root", lambda p: p["securityContext"].pop("seccompProfile")
    yield "root pod", "the pod runs as no root", lambda p: p["securityContext"].update(runAsNonRoot=False)
    yield "sysctl", "the pod runs as no root", lambda p: p["securityContext"].update(sysctls=[])
    yield "privileged", privilege, lambda p: secure(p).update(privileged=True)
    yield "escalation", privilege, lambda p: secure(p).update(allowPrivilegeEscalation=True)
    yield "escalation left out", privilege, lambda p: secure(p).pop("allowPrivilegeEscalation")
    yield "writable root", privilege, lambda p: secure(p).update(readOnlyRootFilesystem=False)
    yield "a capability", privilege, lambda p: secure(p)["capabilities"].update(add=["NET_RAW"])
    yield "capabilities kept", privilege, lambda p: secure(p).update(capabilities={"drop": []})
    yield "uid 0", privilege, lambda p: secure(p).update(runAsUser=0)
    yield "the daemon's uid", privilege, lambda p: secure(p).update(runAsUser=65531)
    yield "no context", privilege, lambda p: p["initContainers"][0].update(securityContext={})
    yield "procMount", privilege, lambda p: secure(p).update(procMount="Unmasked")
    yield "one uid for both", "strategy and sidecar are different", lambda p: secure(p).update(runAsUser=65533)
    yield "no limits", "every container states", lambda p: strategy(p)["resources"].pop("limits")
    yield "the default account", "no token is mounted", lambda p: p.update(serviceAccountName="default")
    yield "a mounted token", "no token is mounted", lambda p: p.update(automountServiceAccountToken=True)
    yield "another hostPath", volumes, lambda p: p["volumes"][-1]["hostPath"].update(path="/")
    yield "two hostPaths", volumes, lambda p: p["volumes"].append(extra)
    yield "a disk volume", volumes, lambda p: p["volumes"][0]["emptyDir"].pop("medium")
    yield "a boundless volume", volumes, lambda p: p["volumes"][0]["emptyDir"].pop("sizeLimit")
    yield "a secret", volumes, lambda p: p["volumes"].append({"name": "s", "secret": {"secretName": "s"}})
    yield (
        "a token of the cluster's",
        volumes,
        lambda p: p["volumes"][4]["projected"]["sources"][0]["serviceAccountToken"].update(audience="kubernetes"),
    )
    yield (
        "a writable cache",
        "the cache is mounted",
        lambda p: p["initContainers"][0]["volumeMounts"][-1].pop("readOnly"),
    )
    yield (
        "the cache for the strategy",
        "the cache is mounted",
        lambda p: strategy(p)["volumeMounts"].append({"name": "cache", "mountPath": "/cache", "readOnly": True}),
    )
    yield (
        "the token for the strategy",
        "the token is mounted",
        lambda p: strategy(p)["volumeMounts"].append({"name": "token", "mountPath": "/t", "readOnly": True}),
    )
    yield "env from a secret", "no device", lambda p: strategy(p).update(envFrom=[{"secretRef": {"name": "s"}}])
    yield "env by reference", "no device", lambda p: strategy(p)["env"].append({"name": "A", "valueFrom": {}})


@pytest.mark.parametrize(("message", "change"), [pytest.param(m, c, id=n) for n, m, c in changes()])
def test_a_pod_that_is_wider_than_the_manifest_is_refused(
    documents: list[dict[str, Any]], job: dict[str, Any], message: str, change: Change
) -> None:
    pod = copy.deepcopy(job["spec"]["template"]["spec"])
    change(pod)
    assert [m for m in refusals(documents, pod) if m.startswith(message)]


def test_documents_are_applied_at_the_paths_of_the_api(documents: list[dict[str, Any]]) -> None:
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    admission = "/apis/admissionregistration.k8s.io/v1"
    assert [apply.path(d) for d in documents] == [
        "/api/v1/namespaces/backtests",
        "/api/v1/namespaces/tapedeck-system",
        "/apis/node.k8s.io/v1/runtimeclasses/gvisor",
        "/api/v1/namespaces/backtests/serviceaccounts/sidecar",
        f"{rbac}/namespaces/backtests/roles/backtest-dispatcher",
        f"{rbac}/namespaces/backtests/rolebindings/backtest-dispatchers",
        f"{rbac}/clusterroles/backtest-token-reader",
        f"{rbac}/clusterrolebindings/backtest-token-readers",
        "/apis/networking.k8s.io/v1/namespaces/backtests/networkpolicies/default-deny",
        "/apis/networking.k8s.io/v1/namespaces/backtests/networkpolicies/runs",
        "/apis/networking.k8s.io/v1/namespaces/tapedeck-system/networkpolicies/cache",
        "/api/v1/namespaces/backtests/resourcequotas/runs",
        "/api/v1/namespaces/backtests/limitranges/runs",
        f"{admission}/validatingadmissionpolicies/backtest-pods",
        f"{admission}/validatingadmissionpolicybindings/backtest-pods",
        "/api/v1/namespaces/tapedeck-system/serviceaccounts/cache",
        "/api/v1/namespaces/tapedeck-system/services/cache",
        "/apis/apps/v1/namespaces/tapedeck-system/daemonsets/cache",
    ]
