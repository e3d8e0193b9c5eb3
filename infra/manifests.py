"""Kubernetes manifests: YAML files of infra/k8s, their `$(NAME)` places filled, applied when the stack is deployed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import yaml
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import custom_resources
from constructs import Construct

from infra.bundle import bundle
from infra.layers import ARCHITECTURE, RUNTIME
from infra.network import Network
from infra.permissions import allow, join_network

FOLDER = Path(__file__).resolve().parent / "k8s"
_PLACE = re.compile(r"\$\(([A-Z0-9_]+)\)")


def load(file: Path, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a file's documents; a string that is one place becomes the value itself. `KeyError`: no such value."""
    return [_fill(document, values) for document in yaml.safe_load_all(file.read_text())]


def _fill(node: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(node, dict):
        return {k: _fill(v, values) for k, v in node.items()}
    if isinstance(node, list):
        return [_fill(v, values) for v in node]
    if not isinstance(node, str):
        return node
    if whole := _PLACE.fullmatch(node):
        return values[whole[1]]
    return _PLACE.sub(lambda m: str(values[m[1]]), node)


class Manifests(Construct):
    """Applies documents to the cluster with a function of its own: the 60 MB of kubectl would do no more."""

    def __init__(self, scope: Construct, id: str, *, cluster: eks.Cluster, network: Network, root: Path) -> None:
        super().__init__(scope, id)
        self._cluster = cluster
        self._last: Construct | None = None
        log = logs.LogGroup(
            self, "Log", retention=logs.RetentionDays.ONE_MONTH, removal_policy=cdk.RemovalPolicy.DESTROY
        )
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        writes_log = allow(["logs:CreateLogStream", "logs:PutLogEvents"], [log.log_group_arn])
        for statement in (*join_network(), writes_log):
            role.add_to_policy(statement)
        function = lambda_.Function(
            self,
            "Apply",
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            handler="apply.handler",
            code=bundle(root / "infra" / "k8s", {"apply.py": root / "infra" / "k8s" / "apply.py"}),
            role=role,
            log_group=log,
            timeout=cdk.Duration.minutes(5),
            memory_size=256,
            vpc=network.vpc,
            vpc_subnets=network.functions,
            security_groups=[network.functions_group],
            environment={
                "CLUSTER_NAME": cluster.cluster_name,
                "CLUSTER_ENDPOINT": cluster.cluster_endpoint,
                "CLUSTER_CA": cluster.cluster_certificate_authority_data,
            },
        )
        admin = eks.CfnAccessEntry(
            self,
            "Admin",
            cluster_name=cluster.cluster_name,
            principal_arn=role.role_arn,
            access_policies=[
                eks.CfnAccessEntry.AccessPolicyProperty(
                    policy_arn=f"arn:{cdk.Aws.PARTITION}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
                    access_scope=eks.CfnAccessEntry.AccessScopeProperty(type="cluster"),
                )
            ],
        )
        self._admin = admin
        self._provider = custom_resources.Provider(self, "Provider", on_event_handler=function)

    def add(self, name: str, documents: Sequence[Mapping[str, Any]]) -> cdk.CustomResource:
        """Apply `documents` after those added before; what a later deployment no longer lists is deleted."""
        resource = cdk.CustomResource(
            self,
            name,
            resource_type="Custom::KubernetesManifest",
            service_token=self._provider.service_token,
            properties={
                "ClusterName": self._cluster.cluster_name,
                "Manifest": cdk.Stack.of(self).to_json_string(list(documents)),
            },
        )
        resource.node.add_dependency(self._last or self._admin)
        self._last = resource
        return resource


def open_cluster(id: str, *, cluster: eks.Cluster, functions: ec2.ISecurityGroup, scope: Construct) -> None:
    """Let functions reach the cluster's private API."""
    ec2.CfnSecurityGroupIngress(
        scope,
        id,
        group_id=cluster.cluster_security_group_id,
        ip_protocol="tcp",
        from_port=443,
        to_port=443,
        source_security_group_id=functions.security_group_id,
        description="Functions",
    )
