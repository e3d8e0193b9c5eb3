"""The EKS cluster, who may call it, and the documents that are applied to it."""

from __future__ import annotations

import json

from infra.local.assembly import Resource
from infra.local.deploy import Created, Creator, DeployError, Deployment
from infra.local.wires import KubernetesCluster


def cluster(deployment: Deployment, resource: Resource) -> Created:
    """Register the cluster; its endpoint and certificate are those of the local cluster process."""
    name = deployment.properties(resource, "Name").get("Name", deployment.name(resource))
    region = deployment.assembly.stack(resource.stack).region
    deployment.wires.clusters[name] = KubernetesCluster(name, region)
    machine = deployment.machine
    return Created(
        name,
        {
            "Arn": deployment.arn(resource, "eks", f"cluster/{name}"),
            "CertificateAuthorityData": machine.cluster_ca,
            "ClusterSecurityGroupId": "sg-local",
            "EncryptionConfigKeyArn": "",
            "Endpoint": machine.cluster_endpoint,
            "OpenIdConnectIssuerUrl": machine.cluster_issuer,
        },
    )


def access_entry(deployment: Deployment, resource: Resource) -> Created:
    """Let a role act as Kubernetes groups; entries of nodes and of CDK's own helpers have no groups."""
    properties = deployment.properties(resource, "ClusterName", "PrincipalArn", "KubernetesGroups")
    groups = list(properties.get("KubernetesGroups", []))
    if groups:
        deployment.wires.clusters[properties["ClusterName"]].access[properties["PrincipalArn"]] = groups
    return Created(properties["PrincipalArn"], {"AccessEntryArn": deployment.name(resource)})


def identity(deployment: Deployment, resource: Resource) -> Created:
    """Give the pods of a service account a role."""
    told = deployment.properties(resource, "ClusterName", "Namespace", "ServiceAccount", "RoleArn")
    identities = deployment.wires.clusters[told["ClusterName"]].identities
    identities[told["Namespace"], told["ServiceAccount"]] = told["RoleArn"]
    return Created(deployment.name(resource))


def manifest(deployment: Deployment, resource: Resource) -> Created:
    """Collect the documents of one manifest; it names no cluster: there is one."""
    documents = json.loads(deployment.properties(resource, "Manifest")["Manifest"])
    clusters = list(deployment.wires.clusters.values())
    if len(clusters) != 1:
        raise DeployError(f"{resource} is for one cluster, and there are {len(clusters)} before it")
    clusters[0].manifests.extend(documents)
    return Created(deployment.name(resource))


CREATORS: dict[str, Creator] = {
    "AWS::EKS::AccessEntry": access_entry,
    "AWS::EKS::Cluster": cluster,
    "AWS::EKS::PodIdentityAssociation": identity,
    "Custom::KubernetesManifest": manifest,
}
