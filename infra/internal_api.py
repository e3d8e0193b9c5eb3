"""The API that sidecars call for credentials: private, reached through the network's own endpoint only."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.platform_function import PlatformFunction
from infra.settings import Settings

STAGE = "live"


class InternalApi(Construct):
    """`credentials_url`, for AWS_CONTAINER_CREDENTIALS_FULL_URI; the handler itself verifies the caller's token."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        endpoint: ec2.IInterfaceVpcEndpoint,
        credentials: PlatformFunction,
    ) -> None:
        super().__init__(scope, id)
        inside = {"StringEquals": {"aws:SourceVpce": endpoint.vpc_endpoint_id}}
        self.api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=f"{settings.prefix}-internal",
            endpoint_configuration=apigateway.EndpointConfiguration(
                types=[apigateway.EndpointType.PRIVATE], vpc_endpoints=[endpoint]
            ),
            policy=iam.PolicyDocument(
                statements=[
                    iam.PolicyStatement(
                        principals=[iam.AnyPrincipal()],
                        actions=["execute-api:Invoke"],
                        resources=[f"execute-api:/{STAGE}/GET/credentials"],
                        conditions=inside,
                    )
                ]
            ),
            deploy_options=apigateway.StageOptions(stage_name=STAGE, tracing_enabled=True),
        )
        self.api.root.resource_for_path("/credentials").add_method(
            "GET",
            apigateway.LambdaIntegration(credentials.function, scope_permission_to_method=False),
            authorization_type=apigateway.AuthorizationType.NONE,
        )
        host = f"{self.api.rest_api_id}.execute-api.{settings.region}.{cdk.Aws.URL_SUFFIX}"
        self.credentials_url = f"https://{host}/{STAGE}/credentials"
