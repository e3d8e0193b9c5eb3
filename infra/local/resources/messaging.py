"""SQS queues with their redrive, SNS topics and subscriptions."""

from __future__ import annotations

import json

from infra.local.assembly import Resource
from infra.local.deploy import Created, Creator, Deployment

_QUEUE_ATTRIBUTES = (
    "ContentBasedDeduplication",
    "DelaySeconds",
    "FifoQueue",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
)


def queue(deployment: Deployment, resource: Resource) -> Created:
    """Create an SQS queue, with its redrive policy."""
    properties = deployment.properties(resource, "QueueName", *_QUEUE_ATTRIBUTES)
    name = properties.pop("QueueName", deployment.name(resource, limit=80))
    attributes = {key: _text(value) for key, value in properties.items()}
    url = deployment.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = deployment.arn(resource, "sqs", name)
    deployment.wires.queues[arn] = url
    return Created(url, {"Arn": arn, "QueueName": name, "QueueUrl": url})


def topic(deployment: Deployment, resource: Resource) -> Created:
    """Create an SNS topic."""
    properties = deployment.properties(resource, "TopicName")
    name = properties.get("TopicName", deployment.name(resource))
    arn = deployment.client("sns").create_topic(Name=name)["TopicArn"]
    return Created(arn, {"TopicArn": arn, "TopicName": name})


def subscription(deployment: Deployment, resource: Resource) -> Created:
    """Subscribe an endpoint to a topic."""
    properties = deployment.properties(resource)
    made = deployment.client("sns").subscribe(
        TopicArn=properties["TopicArn"],
        Protocol=properties["Protocol"],
        Endpoint=properties["Endpoint"],
        ReturnSubscriptionArn=True,
    )
    return Created(made["SubscriptionArn"])


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict) else str(value)


CREATORS: dict[str, Creator] = {
    "AWS::SNS::Subscription": subscription,
    "AWS::SNS::Topic": topic,
    "AWS::SQS::Queue": queue,
}
