"""Least privilege, measured: what a role was seen to do against what its policies grant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from infra.local.front_door import Call
from infra.local.iam import Decision, Principal, evaluate, request_context, unique_id
from infra.local.policies import Statement, statements


@dataclass(frozen=True)
class Grant:
    """One action pattern on one resource pattern that a role's policies allow."""

    role: str
    action: str
    resource: str


def decide(call: Call, policies: Iterable[Mapping[str, Any]]) -> Decision:
    """Decide on a recorded call by these policies alone, in the context that it was made in."""
    return evaluate(_principal(call, policies), call.action, call.resource, call.context)


def unused(role_arn: str, policies: Iterable[Mapping[str, Any]], calls: Iterable[Call]) -> list[Grant]:
    """Return what the policies allow and no recorded call of the role needed, in the policies' order."""
    seen = [call for call in calls if call.role == role_arn and call.allowed]
    return [
        Grant(role_arn.rpartition("/")[2], single.actions[0], single.resources[0])
        for single in _grants(policies)
        if not any(_needs(single, call) for call in seen)
    ]


def _grants(policies: Iterable[Mapping[str, Any]]) -> Iterator[Statement]:
    """Yield each allowed pair of action and resource as a statement of its own."""
    for document in policies:
        for rule in statements(document):
            if not rule.allow:
                continue
            for action in rule.actions:
                for resource in rule.resources:
                    yield replace(rule, actions=(action,), resources=(resource,))


def _needs(grant: Statement, call: Call) -> bool:
    return grant.applies(call.action, call.resource, request_context(_principal(call, ()), call.context))


def _principal(call: Call, policies: Iterable[Mapping[str, Any]]) -> Principal:
    """Return who made the call, as far as policies can ask."""
    account, session = call.principal.split(":")[4], call.principal.rpartition("/")[2]
    user_id = f"{unique_id('AROA', call.role)}:{session}" if call.role else unique_id("AIDA", call.principal)
    return Principal(call.principal, user_id, account, "", "", None, tuple(policies), role_arn=call.role)
