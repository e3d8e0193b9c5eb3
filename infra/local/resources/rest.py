"""API Gateway REST APIs, as far as a Lambda proxy integration goes."""

from __future__ import annotations

import hashlib
import re

from infra.local.assembly import Resource
from infra.local.deploy import Created, Creator, DeployError, Deployment
from infra.local.wires import Method, RestApi

_FUNCTION = re.compile(r":function:([^:/]+)")


def api(deployment: Deployment, resource: Resource) -> Created:
    """Register a REST API. Ids of its resources are their paths, so that a method's resource id is its route."""
    properties = deployment.properties(resource, "Name", "BinaryMediaTypes")
    made = RestApi(
        id=hashlib.sha256(resource.path.encode()).hexdigest()[:10],
        name=properties.get("Name", deployment.name(resource)),
        region=deployment.assembly.stack(resource.stack).region,
        binary_media_types=tuple(properties.get("BinaryMediaTypes", ())),
    )
    deployment.wires.apis[made.id] = made
    return Created(made.id, {"RestApiId": made.id, "RootResourceId": "/"})


def route(deployment: Deployment, resource: Resource) -> Created:
    """Name a resource by its path."""
    properties = deployment.properties(resource)
    path = f"{properties['ParentId'].rstrip('/')}/{properties['PathPart']}"
    return Created(path, {"ResourceId": path})


def method(deployment: Deployment, resource: Resource) -> Created:
    """Register a method; only Lambda proxy integrations are known."""
    properties = deployment.properties(resource)
    integration, authorization = properties["Integration"], properties.get("AuthorizationType", "NONE")
    target = _FUNCTION.search(integration.get("Uri", ""))
    if integration["Type"] != "AWS_PROXY" or target is None or authorization not in ("AWS_IAM", "NONE"):
        raise DeployError(f"{resource}: the local gateway knows Lambda proxies with AWS_IAM or NONE only")
    deployment.wires.apis[properties["RestApiId"]].methods.append(
        Method(properties["HttpMethod"], properties["ResourceId"], authorization, target[1])
    )
    return Created(deployment.name(resource))


def rollout(deployment: Deployment, resource: Resource) -> Created:
    """Name a deployment: locally a method is there as soon as it is registered."""
    name = deployment.name(resource)
    return Created(name, {"DeploymentId": name})


def stage(deployment: Deployment, resource: Resource) -> Created:
    """Register the API's stage."""
    properties = deployment.properties(resource, "RestApiId", "StageName")
    deployment.wires.apis[properties["RestApiId"]].stage = properties["StageName"]
    return Created(properties["StageName"])


CREATORS: dict[str, Creator] = {
    "AWS::ApiGateway::Deployment": rollout,
    "AWS::ApiGateway::Method": method,
    "AWS::ApiGateway::Resource": route,
    "AWS::ApiGateway::RestApi": api,
    "AWS::ApiGateway::Stage": stage,
}
