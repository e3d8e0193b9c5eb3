"""CloudFormation's intrinsic functions, as far as a synthesised template uses them.

An intrinsic that stands neither here nor in CloudFormation's documentation of plain values raises with its name and
place: a template is never half resolved.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

NO_VALUE = object()
"""What `AWS::NoValue` resolves to: the property or item that holds it is left out."""

_VARIABLE = re.compile(r"\$\{([^!][^}]*)\}")
_DYNAMIC = re.compile(r"\{\{resolve:([a-z-]+):([^}]*)\}\}")


class ResolveError(Exception):
    """A template asks for something that cannot be resolved; the message names it and its place."""


class Environment(Protocol):
    """Where the resolver finds what stands outside of the value that it resolves."""

    def pseudo(self, stack: str) -> Mapping[str, str]:
        """Return the pseudo parameters ("AWS::Region" ...) of `stack`."""

    def ref(self, stack: str, logical_id: str) -> str:
        """Return what Ref gives for a resource."""

    def attribute(self, stack: str, logical_id: str, name: str) -> Any:
        """Return what Fn::GetAtt gives."""

    def export(self, name: str) -> Any:
        """Return the exported value `name` of any stack."""

    def output(self, stack: str, name: str) -> Any:
        """Return an output of any stack."""

    def condition(self, stack: str, name: str) -> Any:
        """Return the unresolved condition `name`."""

    def dynamic(self, service: str, reference: str) -> str:
        """Return what a dynamic reference ({{resolve:service:reference}}) stands for."""


class Resolver:
    """Resolves values of one environment."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._functions: dict[str, Callable[[Any, str, str], Any]] = {
            "Ref": self._ref,
            "Condition": self._condition,
            "Fn::Base64": lambda a, s, p: base64.b64encode(str(self.resolve(a, s, p)).encode()).decode(),
            "Fn::Equals": lambda a, s, p: self.resolve(a[0], s, p) == self.resolve(a[1], s, p),
            "Fn::GetAtt": self._get_att,
            "Fn::GetAZs": lambda a, s, p: [f"{self.resolve(a, s, p) or self._region(s)}{zone}" for zone in "abc"],
            "Fn::GetStackOutput": lambda a, s, p: self._environment.output(a["StackName"], a["OutputName"]),
            "Fn::If": self._if,
            "Fn::ImportValue": lambda a, s, p: self._environment.export(self.resolve(a, s, p)),
            "Fn::Join": lambda a, s, p: a[0].join(str(item) for item in self.resolve(a[1], s, p)),
            "Fn::Select": lambda a, s, p: self.resolve(a[1], s, p)[int(self.resolve(a[0], s, p))],
            "Fn::Split": lambda a, s, p: str(self.resolve(a[1], s, p)).split(a[0]),
            "Fn::Sub": self._sub,
        }

    def resolve(self, value: Any, stack: str, place: str) -> Any:
        """Return `value` without intrinsics; `place` names it in errors."""
        if isinstance(value, str):
            return self._dynamic(value)
        if isinstance(value, list):
            items = (self.resolve(item, stack, f"{place}[{i}]") for i, item in enumerate(value))
            return [item for item in items if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name in self._functions and not (name == "Condition" and not isinstance(argument, str)):
                result = self._functions[name](argument, stack, place)
                return self._dynamic(result) if isinstance(result, str) else result
            if name.startswith("Fn::"):
                raise ResolveError(f"intrinsic {name} at {place} is unknown to the local stack")
        pairs = ((key, self.resolve(item, stack, f"{place}.{key}")) for key, item in value.items())
        return {key: item for key, item in pairs if item is not NO_VALUE}

    def _region(self, stack: str) -> str:
        return self._environment.pseudo(stack)["AWS::Region"]

    def _ref(self, name: Any, stack: str, place: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if str(name).startswith("AWS::"):
            pseudo = self._environment.pseudo(stack)
            if name not in pseudo:
                raise ResolveError(f"pseudo parameter {name} at {place} is unknown to the local stack")
            return pseudo[name]
        return self._environment.ref(stack, name)

    def _get_att(self, argument: Any, stack: str, place: str) -> Any:
        logical_id, name = argument.split(".", 1) if isinstance(argument, str) else argument
        return self._environment.attribute(stack, logical_id, self.resolve(name, stack, place))

    def _condition(self, name: Any, stack: str, place: str) -> Any:
        return self.resolve(self._environment.condition(stack, name), stack, f"{place} condition {name}")

    def _if(self, argument: Any, stack: str, place: str) -> Any:
        name, yes, no = argument
        return self.resolve(yes if self._condition(name, stack, place) else no, stack, place)

    def _sub(self, argument: Any, stack: str, place: str) -> str:
        text, variables = argument if isinstance(argument, list) else (argument, {})

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in variables:
                return str(self.resolve(variables[name], stack, place))
            if "." in name:
                return str(self._get_att(name, stack, place))
            return str(self._ref(name, stack, place))

        return _VARIABLE.sub(value, text).replace("${!", "${")

    def _dynamic(self, text: str) -> str:
        return _DYNAMIC.sub(lambda match: self._environment.dynamic(match[1], match[2]), text)
