"""The machines: a few for the cluster's own parts, and spot ones for runs, with gVisor installed at boot."""

from __future__ import annotations

from pathlib import Path
from string import Template

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.bucket import Bucket
from infra.network import Network
from infra.permissions import read
from infra.settings import Nodes as NodeCount
from infra.settings import Settings

POOL = "tapedeck/pool"
_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy")
_BINARIES = {"Runsc": "runsc", "Shim": "containerd-shim-runsc-v1"}
_FOLDER = Path(__file__).resolve().parent / "boot"


class NodePools(Construct):
    """`system` and `backtest`, on one node role that can pull images and read the tools."""

    def __init__(
        self, scope: Construct, id: str, *, settings: Settings, cluster: eks.Cluster, network: Network, tools: Bucket
    ) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self._cluster = cluster
        self._subnets = network.nodes
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        for policy in _POLICIES:
            self.role.add_managed_policy(iam.ManagedPolicy.from_aws_managed_policy_name(policy))
        for statement in read(tools, f"gvisor/{settings.gvisor_release}/*"):
            self.role.add_to_policy(statement)
        self.system = self._pool(
            "System",
            template=self._template("SystemTemplate", disk_gib=30, user_data=None),
            machines=[settings.system_instance],
            count=settings.system_nodes,
            spot=False,
        )
        self.backtest = self._pool(
            "Backtest",
            template=self._template("BacktestTemplate", settings.backtest_disk_gib, self._boot(tools)),
            machines=list(settings.backtest_instances),
            count=settings.backtest_nodes,
            spot=True,
        )

    def _boot(self, tools: Bucket) -> ec2.UserData:
        """Return what a backtest node does before it joins: gVisor, verified, and the cache's folder."""
        sums = {name: self._checksum(name, file) for name, file in _BINARIES.items()}
        script = Template((_FOLDER / "gvisor.sh").read_text()).substitute(
            source=f"s3://{tools.objects.bucket_name}/gvisor/{self._settings.gvisor_release}",
            region=self._settings.region,
            runsc=sums["Runsc"],
            shim=sums["Shim"],
        )
        parts = ec2.MultipartUserData()
        for kind, body in (
            ('text/x-shellscript; charset="us-ascii"', script),
            ("application/node.eks.aws", (_FOLDER / "node.yaml").read_text()),
        ):
            parts.add_part(ec2.MultipartBody.from_raw_body(content_type=kind, body=body))
        return parts

    def _checksum(self, name: str, file: str) -> str:
        """Return a parameter without a default: whoever deploys states which bytes were reviewed."""
        parameter = cdk.CfnParameter(
            self,
            f"{name}Sha512",
            description=f"SHA-512 of {file} in the tools bucket's gvisor/{self._settings.gvisor_release}/",
            allowed_pattern="[0-9a-f]{128}",
        )
        parameter.override_logical_id(f"{name}Sha512")
        return parameter.value_as_string

    def _template(self, id: str, disk_gib: int, user_data: ec2.UserData | None) -> ec2.LaunchTemplate:
        return ec2.LaunchTemplate(
            self,
            id,
            user_data=user_data,
            http_tokens=ec2.LaunchTemplateHttpTokens.REQUIRED,
            http_put_response_hop_limit=1,  # pods do not reach the node's credentials
            block_devices=[
                ec2.BlockDevice(
                    device_name="/dev/xvda",
                    volume=ec2.BlockDeviceVolume.ebs(
                        disk_gib, encrypted=True, volume_type=ec2.EbsDeviceVolumeType.GP3, throughput=500, iops=4000
                    ),
                )
            ],
        )

    def _pool(
        self, id: str, *, template: ec2.LaunchTemplate, machines: list[str], count: NodeCount, spot: bool
    ) -> eks.Nodegroup:
        name = id.lower()
        return self._cluster.add_nodegroup_capacity(
            id,
            ami_type=eks.NodegroupAmiType.AL2023_X86_64_STANDARD,
            capacity_type=eks.CapacityType.SPOT if spot else eks.CapacityType.ON_DEMAND,
            instance_types=[ec2.InstanceType(m) for m in machines],
            launch_template_spec=eks.LaunchTemplateSpec(
                id=template.launch_template_id or "", version=template.latest_version_number
            ),
            node_role=self.role,
            subnets=self._subnets,
            min_size=count.minimum,
            desired_size=count.minimum,
            max_size=count.maximum,
            labels={POOL: name},
            taints=[eks.TaintSpec(key=POOL, value=name, effect=eks.TaintEffect.NO_SCHEDULE)] if spot else None,
        )
