"""CloudWatch alarms and dashboards: stored in moto, as the template states them."""

from __future__ import annotations

from infra.local.assembly import Resource
from infra.local.deploy import Created, Creator, Deployment


def alarm(deployment: Deployment, resource: Resource) -> Created:
    """Create a metric alarm; the template's properties are those of the API."""
    properties = deployment.properties(resource)
    properties.pop("Tags", None)
    name = properties.setdefault("AlarmName", deployment.name(resource, limit=255))
    deployment.client("cloudwatch").put_metric_alarm(**properties)
    return Created(name, {"Arn": deployment.arn(resource, "cloudwatch", f"alarm:{name}")})


def composite_alarm(deployment: Deployment, resource: Resource) -> Created:
    """Create an alarm over alarms."""
    properties = deployment.properties(resource)
    properties.pop("Tags", None)
    name = properties.setdefault("AlarmName", deployment.name(resource, limit=255))
    deployment.client("cloudwatch").put_composite_alarm(**properties)
    return Created(name, {"Arn": deployment.arn(resource, "cloudwatch", f"alarm:{name}")})


def dashboard(deployment: Deployment, resource: Resource) -> Created:
    """Create a dashboard."""
    properties = deployment.properties(resource, "DashboardName", "DashboardBody")
    name = properties.get("DashboardName", deployment.name(resource))
    deployment.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=properties["DashboardBody"])
    return Created(name)


CREATORS: dict[str, Creator] = {
    "AWS::CloudWatch::Alarm": alarm,
    "AWS::CloudWatch::CompositeAlarm": composite_alarm,
    "AWS::CloudWatch::Dashboard": dashboard,
}
