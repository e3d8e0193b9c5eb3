"""What of the template does not exist on one machine, and why: the other half of `resources.CREATORS`.

A type in neither table stops the start: a new resource cannot be forgotten locally.
"""

from __future__ import annotations

import re

_NETWORK = "one machine has one network: everything listens on the loopback address"
_PERMISSION = "the local router delivers exactly what the notification, rule or route states"
_NODES = "this machine is the only node"
_LOGS = "logs are files in the stack's state directory"

ABSENT: dict[str, str] = {
    "AWS::ApiGateway::Account": _LOGS,
    "AWS::ApiGateway::GatewayResponse": "the local gateway's errors have their own table",
    "AWS::ApiGateway::Model": "bodies are validated by the handlers",
    "AWS::ApiGateway::RequestValidator": "requests are validated by the handlers",
    "AWS::ApiGateway::UsagePlan": "one machine throttles nobody",
    "AWS::AutoScaling::AutoScalingGroup": _NODES,
    "AWS::CDK::Metadata": "tells AWS which constructs were used",
    "AWS::CloudWatch::AnomalyDetector": "needs weeks of metrics",
    "AWS::EC2::*": _NETWORK,
    "AWS::ECR::Repository": "images are the assembly's directories",
    "AWS::EKS::Addon": "the local cluster endpoint has no add-ons",
    "AWS::EKS::Nodegroup": _NODES,
    "AWS::IAM::InstanceProfile": _NODES,
    "AWS::IAM::OIDCProvider": "functions.credentials verifies the cluster's tokens itself",
    "AWS::IAM::ServiceLinkedRole": "AWS's own",
    "AWS::Lambda::EventInvokeConfig": "nothing is invoked asynchronously but by schedules, which come again",
    "AWS::Lambda::LayerVersionPermission": _PERMISSION,
    "AWS::Lambda::Permission": _PERMISSION,
    "AWS::Logs::*": _LOGS,
    "AWS::RDS::DBParameterGroup": "PostgreSQL runs with settings for a short life",
    "AWS::RDS::DBSubnetGroup": _NETWORK,
    "AWS::S3::BucketPolicy": "denies plain HTTP and foreign networks; the loopback address is both",
    "AWS::SNS::TopicPolicy": _PERMISSION,
    "AWS::SQS::QueuePolicy": _PERMISSION,
    "AWS::SecretsManager::ResourcePolicy": _PERMISSION,
    "AWS::SecretsManager::RotationSchedule": "the stack does not live that long",
    "AWS::Serverless::Application": "AWS's own rotation function",
    "Custom::AWSCDK-EKS-HelmChart": _NODES,
    "Custom::S3AutoDeleteObjects": "the whole stack is deleted at its end",
    "Custom::VpcRestrictDefaultSG": _NETWORK,
}

_CDK_OWN = re.compile(
    r"/(Custom::[^/]*CustomResourceProvider|AWSCDK\.[^/]*CustomResourceProvider|BucketNotificationsHandler[0-9a-f]+"
    r"|[^/]*KubectlProvider[^/]*|KubectlReadyBarrier|Manifests/(Apply|Provider)|Provider/framework-[^/]+|LogRetention[0-9a-f]+"
    r"|AWS[0-9a-f]{32}|Notifications/HandlerPolicy)(/|$)"
)


def reason(resource_type: str, path: str) -> str | None:
    """Return why a resource is deliberately absent, or None when it is not."""
    if _CDK_OWN.search(path) and not resource_type.startswith("Custom::"):
        return "a helper for a custom resource that the local stack interprets itself"
    service = resource_type.rpartition("::")[0]
    return ABSENT.get(resource_type) or ABSENT.get(f"{service}::*")
