"""The API that people and programs call, signed with SigV4. Every route is one handler's: functions.api."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import retention
from infra.platform_function import PlatformFunction
from infra.settings import Settings

STAGE = "live"
ROUTES = (
    ("POST", "/v1/backtest"),
    ("GET", "/v1/backtest"),
    ("GET", "/v1/backtest/{id}"),
    ("GET", "/v1/backtest/{id}/logs"),
    ("GET", "/v1/backtest/{id}/report"),
    ("GET", "/v1/backtest/{id}/results"),
    ("POST", "/v1/backtest/{id}/cancel"),
    ("GET", "/v1/datasets"),
    ("GET", "/v1/snapshots"),
    ("GET", "/v1/snapshots/{id}"),
    ("GET", "/v1/snapshots/{id}/universes/{name}"),
    ("POST", "/v1/snapshots/{id}/withdraw"),
    ("POST", "/v1/snapshots/{id}/name"),
)


class PublicApi(Construct):
    """`api` and its `url`, stage included, without a slash at the end."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings, handler: PlatformFunction) -> None:
        super().__init__(scope, id)
        log = logs.LogGroup(
            self, "Log", retention=retention.of_logs(settings), removal_policy=cdk.RemovalPolicy.DESTROY
        )
        self.api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=settings.prefix,
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            binary_media_types=["multipart/form-data"],
            cloud_watch_role=True,
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                tracing_enabled=True,
                access_log_destination=apigateway.LogGroupLogDestination(log),
                access_log_format=apigateway.AccessLogFormat.json_with_standard_fields(
                    caller=True,
                    http_method=True,
                    ip=True,
                    protocol=True,
                    request_time=True,
                    resource_path=True,
                    response_length=True,
                    status=True,
                    user=True,
                ),
                throttling_rate_limit=200,
                throttling_burst_limit=400,
            ),
        )
        self.url = f"https://{self.api.rest_api_id}.execute-api.{settings.region}.{cdk.Aws.URL_SUFFIX}/{STAGE}"
        integration = apigateway.LambdaIntegration(handler.function, scope_permission_to_method=False)
        for method, path in ROUTES:
            self.api.root.resource_for_path(path).add_method(
                method, integration, authorization_type=apigateway.AuthorizationType.IAM
            )
