"""EventBridge rules and S3 bucket notifications."""

from __future__ import annotations

import json
from typing import Any

from infra.local.assembly import Resource
from infra.local.deploy import Created, Creator, DeployError, Deployment
from infra.local.resources.functions import name_of
from infra.local.wires import BucketNotification, EventRule, Schedule


def rule(deployment: Deployment, resource: Resource) -> Created:
    """Register a schedule with functions as its targets, or a pattern with queues as its targets."""
    properties = deployment.properties(resource)
    name = properties.get("Name", deployment.name(resource))
    arn = deployment.arn(resource, "events", f"rule/{name}")
    targets = properties.get("Targets", [])
    if properties.get("State", "ENABLED") == "DISABLED":
        return Created(name, {"Arn": arn})
    if "ScheduleExpression" in properties:
        for target in targets:
            event = json.loads(target["Input"]) if "Input" in target else None
            function = _function(deployment, resource, target)
            deployment.wires.schedules.append(Schedule(arn, properties["ScheduleExpression"], function, event))
    else:
        queues = tuple(_queue(deployment, resource, target["Arn"]) for target in targets)
        if any(set(target) & {"Input", "InputPath", "InputTransformer"} for target in targets):
            raise DeployError(f"{resource} transforms its input, which the local router does not do")
        deployment.wires.rules.append(EventRule(arn, properties["EventPattern"], queues))
    return Created(name, {"Arn": arn})


def bucket_notifications(deployment: Deployment, resource: Resource) -> Created:
    """Register a bucket's notifications to queues (`EventBridgeConfiguration` needs nothing: all events reach it)."""
    properties = deployment.properties(resource)
    configuration = properties["NotificationConfiguration"]
    known = {"QueueConfigurations", "EventBridgeConfiguration"}
    if unknown := sorted(set(configuration) - known):
        raise DeployError(f"{resource} notifies by {', '.join(unknown)}, which the local router does not know")
    for item in configuration.get("QueueConfigurations", []):
        filters = item.get("Filter", {}).get("Key", {}).get("FilterRules", [])
        by_name = {rule["Name"].lower(): rule["Value"] for rule in filters}
        deployment.wires.notifications.append(
            BucketNotification(
                bucket=properties["BucketName"],
                queue_arn=_queue(deployment, resource, item["QueueArn"]),
                events=tuple(item["Events"]),
                prefix=by_name.get("prefix", ""),
                suffix=by_name.get("suffix", ""),
            )
        )
    return Created(deployment.name(resource))


def _queue(deployment: Deployment, resource: Resource, arn: str) -> str:
    if arn not in deployment.wires.queues:
        raise DeployError(f"{resource} targets {arn}, which is no queue of this assembly")
    return arn


def _function(deployment: Deployment, resource: Resource, target: dict[str, Any]) -> str:
    name = name_of(target["Arn"])
    if name not in deployment.wires.functions:
        raise DeployError(f"{resource} targets {target['Arn']}, which is no function of this assembly")
    return name


CREATORS: dict[str, Creator] = {
    "AWS::Events::Rule": rule,
    "Custom::S3BucketNotifications": bucket_notifications,
}
