"""IAM roles and policies: collected, for `infra.local.iam` to evaluate at each call."""

from __future__ import annotations

from infra.local.assembly import Resource
from infra.local.deploy import Created, Creator, DeployError, Deployment
from infra.local.iam import unique_id
from infra.local.wires import Role


def role(deployment: Deployment, resource: Resource) -> Created:
    """Register a role."""
    properties = deployment.properties(resource)
    name = properties.get("RoleName", deployment.name(resource))
    arn = deployment.arn(resource, "iam", f"role{properties.get('Path', '/')}{name}", regional=False)
    made = Role(
        arn=arn,
        name=name,
        path=resource.path,
        trust=properties["AssumeRolePolicyDocument"],
        max_duration_s=int(properties.get("MaxSessionDuration", 3600)),
        policies=[policy["PolicyDocument"] for policy in properties.get("Policies", [])],
    )
    for managed in properties.get("ManagedPolicyArns", []):
        if managed in deployment.managed_policies:
            made.policies.append(deployment.managed_policies[managed])
        elif not managed.startswith(
            "arn:aws:iam::aws:"
        ):  # AWS's own only add: what a function of ours needs stands in ours
            raise DeployError(f"{resource} has the policy {managed}, which is not of this assembly")
    if "PermissionsBoundary" in properties:
        raise DeployError(f"{resource} has a permissions boundary, which the local stack does not evaluate")
    deployment.wires.roles[arn] = made
    return Created(name, {"Arn": arn, "RoleId": unique_id("AROA", arn)})


def policy(deployment: Deployment, resource: Resource) -> Created:
    """Add an inline policy to its roles."""
    properties = deployment.properties(resource)
    _attach(deployment, resource, properties.get("Roles", []), properties["PolicyDocument"])
    return Created(properties.get("PolicyName", deployment.name(resource)))


def managed_policy(deployment: Deployment, resource: Resource) -> Created:
    """Register a managed policy of the app, and add it to the roles that it names."""
    properties = deployment.properties(resource)
    name = properties.get("ManagedPolicyName", deployment.name(resource))
    arn = deployment.arn(resource, "iam", f"policy{properties.get('Path', '/')}{name}", regional=False)
    deployment.managed_policies[arn] = properties["PolicyDocument"]
    _attach(deployment, resource, properties.get("Roles", []), properties["PolicyDocument"])
    return Created(arn, {"PolicyArn": arn})


def _attach(deployment: Deployment, resource: Resource, roles: list[str], document: dict[str, object]) -> None:
    by_name = {role.name: role for role in deployment.wires.roles.values()}
    for name in roles:
        if name not in by_name:
            raise DeployError(f"{resource} names the role {name}, which is not of this assembly")
        by_name[name].policies.append(document)


CREATORS: dict[str, Creator] = {
    "AWS::IAM::ManagedPolicy": managed_policy,
    "AWS::IAM::Policy": policy,
    "AWS::IAM::Role": role,
}
