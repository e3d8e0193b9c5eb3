"""Cluster: EKS, its machines, the images that run there and the rules that bind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra import retention
from infra.foundation import Foundation
from infra.images import Images
from infra.manifests import FOLDER, Manifests, load, open_cluster
from infra.nodes import NodePools
from infra.permissions import list_keys, read
from infra.settings import Settings

NAMESPACE = "backtests"
_ADDONS: dict[str, dict[str, Any]] = {
    "vpc-cni": {"enableNetworkPolicy": "true"},
    "kube-proxy": {},
    "coredns": {},
    "eks-pod-identity-agent": {},
}
_RESERVED_GIB = 40  # of a node's disk, for images, logs and the system; the cache fills 80 % of the rest
_MANIFESTS = ("namespaces", "runtime", "access", "network", "limits", "admission", "cache")


class Cluster(cdk.Stack):
    """`cluster`, `images`; functions reach its private API from the functions' security group."""

    def __init__(
        self, scope: Construct, id: str, *, env: cdk.Environment, settings: Settings, foundation: Foundation, root: Path
    ) -> None:
        super().__init__(scope, id, env=env, description="Tapedeck: Kubernetes")
        network = foundation.network
        key = kms.Key(
            self,
            "Key",
            description=f"{settings.prefix} cluster secrets",
            alias=f"{settings.prefix}/cluster",
            enable_key_rotation=True,
            removal_policy=retention.of_data(settings),
        )
        self.cluster = eks.Cluster(
            self,
            "Cluster",
            cluster_name=settings.prefix,
            version=eks.KubernetesVersion.V1_35,
            vpc=network.vpc,
            vpc_subnets=[network.nodes],
            default_capacity_type=eks.DefaultCapacityType.NODEGROUP,
            default_capacity=0,
            endpoint_access=eks.EndpointAccess.PRIVATE,
            bootstrap_cluster_creator_admin_permissions=False,
            secrets_encryption_key=key,
            cluster_logging=[eks.ClusterLoggingTypes.AUDIT, eks.ClusterLoggingTypes.AUTHENTICATOR],
        )
        cdk.Annotations.of(self.cluster).acknowledge_warning(
            "@aws-cdk/aws-eks:isolatedSubnetsForKubectlPrivateSubnets", "infra/network.py has the endpoints"
        )
        open_cluster("FromFunctions", cluster=self.cluster, functions=network.functions_group, scope=self)
        self.images = Images(self, "Images", settings=settings, root=root)
        pools = NodePools(
            self, "Nodes", settings=settings, cluster=self.cluster, network=network, tools=foundation.tools
        )
        self._addons(pools)
        self._cache_identity(foundation)
        self._manifests(settings, foundation, root)

    def _addons(self, pools: NodePools) -> None:
        for name, configuration in _ADDONS.items():
            addon = eks.CfnAddon(
                self,
                name,
                addon_name=name,
                cluster_name=self.cluster.cluster_name,
                resolve_conflicts="OVERWRITE",
                configuration_values=self.to_json_string(configuration) if configuration else None,
            )
            if name == "coredns":  # it needs machines before it is healthy; the others must be there first
                addon.node.add_dependency(pools.system)

    def _cache_identity(self, foundation: Foundation) -> None:
        role = iam.Role(
            self, "CacheRole", assumed_by=iam.ServicePrincipal("pods.eks.amazonaws.com").with_session_tags()
        )
        market = foundation.market
        for statement in (*read(market, "*", versions=True), *list_keys(market)):
            role.add_to_policy(statement)
        eks.CfnPodIdentityAssociation(
            self,
            "CacheIdentity",
            cluster_name=self.cluster.cluster_name,
            namespace="tapedeck-system",
            service_account="cache",
            role_arn=role.role_arn,
        )

    def _manifests(self, settings: Settings, foundation: Foundation, root: Path) -> None:
        ranges = (*foundation.network.endpoint_cidrs(), *settings.s3_cidrs)
        values = {
            "ENDPOINTS_AND_S3": [{"ipBlock": {"cidr": c}} for c in ranges],
            "REGISTRY": self.images.strategy.repository.repository_uri,
            "CACHE_IMAGE": self.images.cache.image_uri,
            "MARKET_BUCKET": foundation.market.objects.bucket_name,
            "CACHE_BYTES": str((settings.backtest_disk_gib - _RESERVED_GIB) << 30),
            "REGION": settings.region,
        }
        manifests = Manifests(self, "Manifests", cluster=self.cluster, network=foundation.network, root=root)
        for name in _MANIFESTS:
            manifests.add(name.capitalize(), load(FOLDER / f"{name}.yaml", values))


def grant_group(scope: Construct, id: str, *, cluster: eks.Cluster, role: iam.IRole, group: str) -> None:
    """Let a role speak to the cluster as a member of `group`, whose rights stand in k8s/access.yaml."""
    eks.CfnAccessEntry(
        scope, id, cluster_name=cluster.cluster_name, principal_arn=role.role_arn, kubernetes_groups=[group]
    )
