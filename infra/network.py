"""The network: isolated subnets, no route to the internet, AWS reached through endpoints only."""

from __future__ import annotations

from aws_cdk import Aws
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.settings import Settings

_ISOLATED = ec2.SubnetType.PRIVATE_ISOLATED
_SERVICES = {
    "EcrApi": ec2.InterfaceVpcEndpointAwsService.ECR,
    "EcrDocker": ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
    "Sts": ec2.InterfaceVpcEndpointAwsService.STS,
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    "Sqs": ec2.InterfaceVpcEndpointAwsService.SQS,
    "SecretsManager": ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
    "ExecuteApi": ec2.InterfaceVpcEndpointAwsService.APIGATEWAY,
    "Eks": ec2.InterfaceVpcEndpointAwsService.EKS,
    "EksAuth": ec2.InterfaceVpcEndpointAwsService.EKS_AUTH,  # the cache daemon's pod identity
    "Ec2": ec2.InterfaceVpcEndpointAwsService.EC2,  # nodes join, the CNI plugs interfaces
    "XRay": ec2.InterfaceVpcEndpointAwsService.XRAY,
}


class Network(Construct):
    """VPC, endpoints and the security groups that more than one stack names."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(scope, id)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(settings.vpc_cidr),
            availability_zones=list(settings.availability_zones),
            nat_gateways=0,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="nodes", subnet_type=_ISOLATED, cidr_mask=20),
                ec2.SubnetConfiguration(name="functions", subnet_type=_ISOLATED, cidr_mask=24),
                ec2.SubnetConfiguration(name="endpoints", subnet_type=_ISOLATED, cidr_mask=26),
                ec2.SubnetConfiguration(name="data", subnet_type=_ISOLATED, cidr_mask=26),
            ],
        )
        self.nodes = ec2.SubnetSelection(subnet_group_name="nodes")
        self.functions = ec2.SubnetSelection(subnet_group_name="functions")
        self.data = ec2.SubnetSelection(subnet_group_name="data")
        self._flow_log(settings)
        self._storage_endpoint(settings)
        self._groups(settings)
        self._service_endpoints()

    def endpoint_cidrs(self) -> list[str]:
        """Return the address ranges in which the interface endpoints, and nothing else, live."""
        return [s.ipv4_cidr_block for s in self.vpc.select_subnets(subnet_group_name="endpoints").subnets]

    def _flow_log(self, settings: Settings) -> None:
        group = logs.LogGroup(self, "Flow", retention=logs.RetentionDays.ONE_MONTH)
        role = iam.Role(self, "FlowRole", assumed_by=iam.ServicePrincipal("vpc-flow-logs.amazonaws.com"))
        self.vpc.add_flow_log(
            "FlowLog",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
        )

    def _storage_endpoint(self, settings: Settings) -> None:
        """S3 for the platform's own buckets, and for the layers of images that ECR keeps there."""
        endpoint = self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        own = f"arn:{Aws.PARTITION}:s3:::{settings.bucket_name('*', Aws.ACCOUNT_ID)}"
        layers = f"arn:{Aws.PARTITION}:s3:::prod-{settings.region}-starport-layer-bucket/*"
        endpoint.add_to_policy(
            iam.PolicyStatement(
                principals=[iam.AnyPrincipal()],
                actions=[
                    "s3:GetObject",
                    "s3:GetObjectVersion",
                    "s3:PutObject",
                    "s3:AbortMultipartUpload",
                    "s3:ListBucket",
                ],
                resources=[own, f"{own}/*"],
                conditions={"StringEquals": {"aws:ResourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        endpoint.add_to_policy(
            iam.PolicyStatement(principals=[iam.AnyPrincipal()], actions=["s3:GetObject"], resources=[layers])
        )

    def _groups(self, settings: Settings) -> None:
        inside = ec2.Peer.ipv4(settings.vpc_cidr)
        self.functions_group = ec2.SecurityGroup(
            self, "FunctionsGroup", vpc=self.vpc, description="Lambda functions", allow_all_outbound=False
        )
        self.database_group = ec2.SecurityGroup(
            self, "DatabaseGroup", vpc=self.vpc, description="PostgreSQL", allow_all_outbound=False
        )
        self.endpoints_group = ec2.SecurityGroup(
            self, "EndpointsGroup", vpc=self.vpc, description="Interface endpoints", allow_all_outbound=False
        )
        # 443 to anywhere is S3's gateway and the VPC: there is no other route.
        self.functions_group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "AWS and the cluster")
        self.functions_group.add_egress_rule(self.database_group, ec2.Port.tcp(5432), "PostgreSQL")
        self.database_group.add_ingress_rule(self.functions_group, ec2.Port.tcp(5432), "Functions")
        self.endpoints_group.add_ingress_rule(inside, ec2.Port.tcp(443), "The VPC")

    def _service_endpoints(self) -> None:
        self.endpoints = {
            name: self.vpc.add_interface_endpoint(
                name,
                service=service,
                subnets=ec2.SubnetSelection(subnet_group_name="endpoints"),
                security_groups=[self.endpoints_group],
                open=False,
                private_dns_enabled=True,
            )
            for name, service in _SERVICES.items()
        }
