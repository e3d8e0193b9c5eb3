"""Who may do what with the local cluster, and what its tokens say."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from infra.local.cluster.answers import ApiError
from infra.local.cluster.authentication import Authenticator, User, presigned_query
from infra.local.cluster.rbac import Ask, allowed
from infra.local.cluster.tokens import Issuer
from tests.unit.eks import ROLE, SESSION, Sts, answering, eks_token
from tests.unit.job_manifests import MANIFESTS, NAMESPACE


@pytest.fixture
def sts() -> Iterator[Sts]:
    with answering() as server:
        yield server


def authenticator(sts: Sts, cluster: str = "demo", role: str = ROLE) -> Authenticator:
    access = {role: ["backtest-dispatchers"]}
    return Authenticator(f"http://127.0.0.1:{sts.server_address[1]}", cluster, access)


def test_a_token_is_replayed_to_sts_as_it_was_signed_and_then_known_for_a_while(sts: Sts) -> None:
    subject, token = authenticator(sts), eks_token()
    user = subject.user(f"Bearer {token}")
    assert user == User(SESSION, ("backtest-dispatchers", "system:authenticated"))
    assert subject.user(f"Bearer {token}") == user
    [(path, host, cluster)] = sts.asked
    assert path == f"/?{presigned_query(token)[1]}"
    assert (host, cluster) == ("sts.us-east-1.amazonaws.com", "demo")


@pytest.mark.parametrize("cluster", ["other"])
def test_what_sts_refuses_is_unauthorized(sts: Sts, cluster: str) -> None:
    with pytest.raises(ApiError) as refused:
        authenticator(sts, cluster).user(f"Bearer {eks_token()}")
    assert refused.value.code == 401


def test_a_role_without_an_access_entry_is_unauthorized(sts: Sts) -> None:
    with pytest.raises(ApiError, match="no access entry"):
        authenticator(sts, role="arn:aws:iam::123456789012:role/Other").user(f"Bearer {eks_token()}")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Basic eDp5",
        "Bearer abc",
        "Bearer k8s-aws-v1.%%%",
        f"Bearer {eks_token(action='AssumeRole')}",
        f"Bearer {eks_token(header='x-other')}",
    ],
)
def test_a_token_that_is_no_signed_identity_call_for_a_cluster_never_reaches_sts(
    sts: Sts, authorization: str | None
) -> None:
    with pytest.raises(ApiError) as refused:
        authenticator(sts).user(authorization)
    assert (refused.value.code, sts.asked) == (401, [])


def test_a_parameter_that_stands_twice_is_refused() -> None:
    url = "https://sts/?Action=GetCallerIdentity&action=AssumeRole&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"
    with pytest.raises(ApiError, match="twice"):
        presigned_query("k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode())


JOBS = Ask("create", "batch", "jobs", NAMESPACE)


@pytest.mark.parametrize(
    ("ask", "group", "may"),
    [
        (JOBS, "backtest-dispatchers", True),
        (Ask("get", "", "pods/log", NAMESPACE, "p"), "backtest-dispatchers", True),
        (Ask("delete", "", "pods", NAMESPACE, "p"), "backtest-dispatchers", False),
        (Ask("create", "batch", "jobs", "kube-system"), "backtest-dispatchers", False),
        (Ask("create", "", "jobs", NAMESPACE), "backtest-dispatchers", False),
        (Ask("get", path="/openid/v1/jwks"), "backtest-dispatchers", False),
        (Ask("get", path="/openid/v1/jwks"), "backtest-token-readers", True),
        (Ask("get", path="/.well-known/openid-configuration"), "backtest-token-readers", False),
        (JOBS, "backtest-token-readers", False),
        (JOBS, "system:authenticated", False),
    ],
)
def test_only_what_a_rule_bound_to_the_group_covers_is_allowed(ask: Ask, group: str, may: bool) -> None:
    assert allowed(ask, "someone", [group], MANIFESTS) is may


def test_a_rule_for_named_objects_covers_only_these() -> None:
    rule = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"], "resourceNames": ["mine"]}
    role = {"kind": "ClusterRole", "metadata": {"name": "one"}, "rules": [rule]}
    binding = {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": "one"},
        "subjects": [{"kind": "User", "name": "ann"}],
    }
    asks = [Ask("get", "batch", "jobs", "any", name) for name in ("mine", "yours")]
    assert [allowed(ask, "ann", [], [role, binding]) for ask in asks] == [True, False]


def test_a_token_carries_the_claims_of_its_pod_and_verifies_against_the_published_key(tmp_path: Path) -> None:
    issuer = Issuer("https://127.0.0.1:8402", tmp_path)
    token = issuer.token(
        audience="tapedeck-credentials",
        seconds=3600,
        namespace=NAMESPACE,
        service_account="sidecar",
        pod="p",
        pod_uid="u",
    )
    [key] = jwt.PyJWKSet.from_dict(Issuer("https://127.0.0.1:8402", tmp_path).jwks()).keys
    claims = jwt.decode(token, key, algorithms=["RS256"], audience="tapedeck-credentials", issuer=issuer.url)
    assert jwt.get_unverified_header(token)["kid"] == key.key_id
    assert claims["sub"] == "system:serviceaccount:backtests:sidecar"
    assert claims["exp"] - claims["iat"] == 3600
    bound = claims["kubernetes.io"]
    assert (bound["namespace"], bound["pod"]) == (NAMESPACE, {"name": "p", "uid": "u"})
    assert bound["serviceaccount"]["name"] == "sidecar"
    assert (tmp_path / "service-account.key").stat().st_mode & 0o077 == 0
