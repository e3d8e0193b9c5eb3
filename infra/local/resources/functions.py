"""Lambda functions, layers, versions, aliases, event source mappings and triggers."""

from __future__ import annotations

import re
from typing import Any

from infra.local.assembly import Resource
from infra.local.deploy import Created, Creator, DeployError, Deployment
from infra.local.wires import Function, QueueMapping

_RUNTIME = "python3.11"
_ARN = re.compile(r"^arn:aws:lambda:[^:]+:[^:]+:function:([^:/]+)")


def name_of(reference: str) -> str:
    """Return the function's name in a name, an ARN or an ARN with a version."""
    match = _ARN.match(reference)
    return match[1] if match else reference


def function(deployment: Deployment, resource: Resource) -> Created:
    """Register a function; its worker process starts at its first event."""
    properties = deployment.properties(resource)
    if properties.get("Runtime") != _RUNTIME or "S3Key" not in properties["Code"]:
        raise DeployError(f"{resource}: only {_RUNTIME} functions with a file asset run locally")
    name = properties.get("FunctionName", deployment.name(resource))
    arn = deployment.arn(resource, "lambda", f"function:{name}")
    workers = int(properties.get("ReservedConcurrentExecutions", deployment.machine.workers))
    deployment.wires.functions[name] = Function(
        name=name,
        arn=arn,
        path=resource.path,
        handler=properties["Handler"],
        task_root=deployment.assembly.file(properties["Code"]["S3Key"]),
        layers=tuple(deployment.assembly.file(deployment.layers[layer]) for layer in properties.get("Layers", [])),
        environment={k: _text(v) for k, v in properties.get("Environment", {}).get("Variables", {}).items()},
        timeout_s=int(properties.get("Timeout", 3)),
        memory_mb=int(properties.get("MemorySize", 128)),
        role_arn=properties["Role"],
        workers=max(1, min(workers, deployment.machine.workers)),
        region=deployment.assembly.stack(resource.stack).region,
    )
    return Created(name, {"Arn": arn})


def layer(deployment: Deployment, resource: Resource) -> Created:
    """Register a layer's asset."""
    properties = deployment.properties(resource)
    arn = deployment.arn(resource, "lambda", f"layer:{deployment.name(resource)}:1")
    deployment.layers[arn] = properties["Content"]["S3Key"]
    return Created(arn, {"LayerVersionArn": arn})


def version(deployment: Deployment, resource: Resource) -> Created:
    """Name the only version that there is locally."""
    name = name_of(deployment.properties(resource, "FunctionName")["FunctionName"])
    arn = deployment.arn(resource, "lambda", f"function:{name}:1")
    return Created(arn, {"FunctionArn": arn, "Version": "1"})


def alias(deployment: Deployment, resource: Resource) -> Created:
    """Name an alias of the only version."""
    properties = deployment.properties(resource, "FunctionName", "Name")
    arn = deployment.arn(resource, "lambda", f"function:{name_of(properties['FunctionName'])}:{properties['Name']}")
    return Created(arn, {"AliasArn": arn})


def mapping(deployment: Deployment, resource: Resource) -> Created:
    """Register an event source mapping from a queue."""
    properties = deployment.properties(resource)
    known = {
        "BatchSize", "Enabled", "EventSourceArn", "FunctionName", "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds", "ScalingConfig", "Tags",
    }  # fmt: skip
    queue_arn = properties["EventSourceArn"]
    if unknown := sorted(set(properties) - known):
        raise DeployError(f"{resource} has {', '.join(unknown)}, which the local poller does not know")
    if queue_arn not in deployment.wires.queues:
        raise DeployError(f"{resource} reads {queue_arn}, which is no queue of this assembly")
    if properties.get("Enabled", True):
        deployment.wires.mappings.append(
            QueueMapping(
                function=name_of(properties["FunctionName"]),
                queue_arn=queue_arn,
                queue_url=deployment.wires.queues[queue_arn],
                batch_size=int(properties.get("BatchSize", 10)),
                window_s=float(properties.get("MaximumBatchingWindowInSeconds", 0)),
                report_failures="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
                concurrency=int(properties.get("ScalingConfig", {}).get("MaximumConcurrency", 2)),
            )
        )
    return Created(deployment.name(resource), {"Id": deployment.name(resource)})


def trigger(deployment: Deployment, resource: Resource) -> Created:
    """Register a function that runs once, after all is deployed."""
    deployment.wires.triggers.append(name_of(deployment.properties(resource, "HandlerArn")["HandlerArn"]))
    return Created(deployment.name(resource))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise DeployError(f"an environment variable resolves to {value!r}, which is no text")
    return value


CREATORS: dict[str, Creator] = {
    "AWS::Lambda::Alias": alias,
    "AWS::Lambda::EventSourceMapping": mapping,
    "AWS::Lambda::Function": function,
    "AWS::Lambda::LayerVersion": layer,
    "AWS::Lambda::Version": version,
    "Custom::Trigger": trigger,
}
