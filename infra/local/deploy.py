"""Deploys an assembly on this machine: creates each resource, in the order in which they need each other.

Not moto's CloudFormation, which reports types that it does not know as created. Here every type has a creator in
`infra.local.resources`, or a reason in `infra.local.absent`, or the deployment stops before it begins.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.local import absent
from infra.local.assembly import Assembly, AssemblyError, Resource
from infra.local.resolve import Resolver
from infra.local.wires import Wires

ACCOUNT = "123456789012"
"""The account of the local stack: moto's."""


class DeployError(Exception):
    """The assembly cannot be deployed on this machine."""


@dataclass(frozen=True)
class Machine:
    """What the deployment must know of the machine; `database` starts PostgreSQL for a user, password and database."""

    cluster_endpoint: str
    cluster_ca: str
    cluster_issuer: str
    postgres_host: str
    postgres_port: int
    database: Callable[[str, str, str], None]
    workers: int = 2


@dataclass(frozen=True)
class Created:
    """What Ref and Fn::GetAtt give for a resource."""

    ref: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


Creator = Callable[["Deployment", Resource], Created]


class Deployment:
    """One deployment; `client` gives a boto3 client that may do everything.

    Creators note here what later ones look up: `databases` (instance: database name), `layers` (ARN: asset key),
    `managed_policies` (ARN: document), `secrets` (ARN: text).
    """

    def __init__(
        self,
        assembly: Assembly,
        machine: Machine,
        client: Callable[[str], Any],
        creators: Mapping[str, Creator],
    ) -> None:
        self.assembly = assembly
        self.machine = machine
        self.client = client
        self.wires = Wires()
        self.databases: dict[str, str] = {}
        self.layers: dict[str, str] = {}
        self.managed_policies: dict[str, dict[str, Any]] = {}
        self.secrets: dict[str, str] = {}
        self._creators = creators
        self._created: dict[tuple[str, str], Created] = {}
        self._under_way: list[Resource] = []
        self._resolver = Resolver(self)

    def run(self) -> Wires:
        """Create everything; raises DeployError."""
        refuse_unknown(self.assembly, self._creators)
        for resource in self.assembly.resources:
            self.create(resource)
        return self.wires

    def outputs(self) -> dict[str, str]:
        """Return the outputs of all stacks as {"Stack.Name": value}."""
        return {f"{s.name}.{name}": str(self.output(s.name, name)) for s in self.assembly.stacks for name in s.outputs}

    def create(self, resource: Resource) -> Created:
        """Create `resource` after what it needs, once; returns what it is called by."""
        key = (resource.stack, resource.logical_id)
        if key not in self._created:
            if resource in self._under_way:
                circle = " -> ".join(r.path for r in [*self._under_way, resource])
                raise DeployError(f"circular dependency: {circle}")
            self._under_way.append(resource)
            try:
                self._created[key] = self._create(resource)
            finally:
                self._under_way.pop()
        return self._created[key]

    def properties(self, resource: Resource, *names: str) -> dict[str, Any]:
        """Return the resolved properties called `names` (all of them when none is named), absent ones left out."""
        chosen = {k: v for k, v in resource.properties.items() if not names or k in names}
        resolved = self._resolver.resolve(chosen, resource.stack, str(resource))
        return dict(resolved)

    def name(self, resource: Resource, limit: int = 64) -> str:
        """Return the stable physical name, of at most `limit` characters, of what the template does not name."""
        name = f"{resource.stack}-{resource.logical_id}"
        return name if len(name) <= limit else name[: limit - 8] + name[-8:]

    def arn(self, resource: Resource, service: str, name: str, *, regional: bool = True) -> str:
        """Return the ARN of `name` in the resource's account and region."""
        region = self.assembly.stack(resource.stack).region if regional else ""
        return f"arn:aws:{service}:{region}:{ACCOUNT}:{name}"

    def secret(self, arn: str) -> dict[str, Any]:
        """Return the JSON value of a secret that this deployment created."""
        return dict(json.loads(self.secrets[arn]))

    # What the resolver asks for (infra.local.resolve.Environment).

    def pseudo(self, stack: str) -> Mapping[str, str]:
        """Return the pseudo parameters of `stack`."""
        region = self.assembly.stack(stack).region
        return {
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::Region": region,
            "AWS::StackId": f"arn:aws:cloudformation:{region}:{ACCOUNT}:stack/{stack}/local",
            "AWS::StackName": stack,
            "AWS::URLSuffix": "amazonaws.com",
        }

    def ref(self, stack: str, logical_id: str) -> str:
        """Return what Ref gives for a resource, or a parameter's default."""
        template = self.assembly.stack(stack)
        if logical_id in template.parameters:
            return str(template.parameters[logical_id]["Default"])
        return self.create(self._resource(stack, logical_id)).ref

    def attribute(self, stack: str, logical_id: str, name: str) -> Any:
        """Return an attribute; one of an absent resource is a plausible text that leads nowhere."""
        resource = self._resource(stack, logical_id)
        created = self.create(resource)
        if name in created.attributes:
            return created.attributes[name]
        if absent.reason(resource.type, resource.path) is None:
            raise DeployError(f"{resource} has no attribute {name} in the local stack")
        if name.endswith("Arn"):
            return self.arn(resource, resource.type.split("::")[1].lower(), created.ref)
        return f"{created.ref}.{name}"

    def export(self, name: str) -> Any:
        """Return the value exported as `name`."""
        for stack in self.assembly.stacks:
            for output in stack.outputs.values():
                exported = output.get("Export", {}).get("Name")
                if exported and self._resolver.resolve(exported, stack.name, "an export") == name:
                    return self._resolver.resolve(output["Value"], stack.name, f"export {name}")
        raise DeployError(f"no stack exports {name}")

    def output(self, stack: str, name: str) -> Any:
        """Return the output `name` of `stack`."""
        value = self.assembly.stack(stack).outputs[name]["Value"]
        return self._resolver.resolve(value, stack, f"output {stack}.{name}")

    def condition(self, stack: str, name: str) -> Any:
        """Return the unresolved condition `name`."""
        return self.assembly.stack(stack).conditions[name]

    def dynamic(self, service: str, reference: str) -> str:
        """Return a key of a secret: "<arn>:SecretString:<key>::"."""
        arn, _, rest = reference.partition(":SecretString:")
        if service != "secretsmanager" or arn not in self.secrets:
            raise DeployError(f"dynamic reference {service}:{reference} is unknown to the local stack")
        key = rest.split(":")[0]
        return str(self.secret(arn)[key]) if key else self.secrets[arn]

    def _resource(self, stack: str, logical_id: str) -> Resource:
        resources = self.assembly.stack(stack).resources
        if logical_id not in resources:
            raise AssemblyError(f"no resource {logical_id} in stack {stack}")
        return resources[logical_id]

    def _create(self, resource: Resource) -> Created:
        if absent.reason(resource.type, resource.path) is not None:
            return Created(self.name(resource))
        for logical_id in resource.depends_on:
            self.create(self._resource(resource.stack, logical_id))
        return self._creators[resource.type](self, resource)


def refuse_unknown(assembly: Assembly, creators: Mapping[str, Creator]) -> None:
    """Raise DeployError with the name and place of each resource whose type has neither creator nor reason."""
    resources = (r for r in assembly.resources if r.type not in creators)
    if unknown := [str(r) for r in resources if absent.reason(r.type, r.path) is None]:
        raise DeployError(f"the local stack neither creates nor lists as deliberately absent: {'; '.join(unknown)}")
