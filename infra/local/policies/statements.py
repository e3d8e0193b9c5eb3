"""Policy documents as statements that can be asked: does this one apply to that request?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.local.policies.conditions import Condition, UnknownPolicyElementError, parse
from infra.local.policies.wildcard import Context, matches

Document = Mapping[str, Any]
_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "Condition"}


@dataclass(frozen=True)
class Statement:
    """One statement. `actions` and `resources` are patterns; the `not_` flags say that they list the exceptions."""

    sid: str
    allow: bool
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[str, ...]
    not_resources: bool
    principals: Mapping[str, tuple[str, ...]]
    conditions: tuple[Condition, ...]

    def applies(self, action: str, resource: str, context: Context) -> bool:
        """Tell whether action (case ignored), resource ARN and every condition fit."""
        action_fits = any(matches(a, action, {}, ignore_case=True) for a in self.actions) != self.not_actions
        if not action_fits:
            return False
        resource_fits = any(matches(r, resource, context) for r in self.resources) != self.not_resources
        return resource_fits and all(c.holds(context) for c in self.conditions)


def statements(document: Document, *, trust: bool = False) -> tuple[Statement, ...]:
    """Parse a policy document; a trust policy names principals and no resource. Raises UnknownPolicyElementError."""
    if unknown := set(document) - {"Version", "Id", "Statement"}:
        raise UnknownPolicyElementError(f"policy element {sorted(unknown)[0]!r} is not known")
    if document.get("Version") != "2012-10-17":
        raise UnknownPolicyElementError(f"policy version {document.get('Version')!r} is not 2012-10-17")
    return tuple(_statement(s, trust) for s in _many(document["Statement"]))


def _statement(raw: Mapping[str, Any], trust: bool) -> Statement:
    if unknown := set(raw) - _ELEMENTS:
        raise UnknownPolicyElementError(f"statement element {sorted(unknown)[0]!r} is not known")
    if raw["Effect"] not in ("Allow", "Deny"):
        raise UnknownPolicyElementError(f"effect {raw['Effect']!r} is not known")
    if ("Principal" in raw) != trust:
        raise UnknownPolicyElementError("trust policies name a Principal, others do not")
    if ("Action" in raw) == ("NotAction" in raw):
        raise UnknownPolicyElementError("a statement has either Action or NotAction")
    if trust is ("Resource" in raw or "NotResource" in raw) or ("Resource" in raw and "NotResource" in raw):
        raise UnknownPolicyElementError("a statement has either Resource or NotResource; a trust policy has none")
    return Statement(
        sid=raw.get("Sid", ""),
        allow=raw["Effect"] == "Allow",
        actions=_many(raw.get("Action", raw.get("NotAction"))),
        not_actions="NotAction" in raw,
        resources=("*",) if trust else _many(raw.get("Resource", raw.get("NotResource"))),
        not_resources="NotResource" in raw,
        principals=_principals(raw.get("Principal", {})),
        conditions=parse(raw.get("Condition", {})),
    )


def _principals(raw: Any) -> dict[str, tuple[str, ...]]:
    if raw == "*":
        return {"AWS": ("*",)}
    if unknown := set(raw) - {"AWS", "Service", "Federated"}:
        raise UnknownPolicyElementError(f"principal kind {sorted(unknown)[0]!r} is not known")
    return {kind: _many(names) for kind, names in raw.items()}


def _many(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


@dataclass(frozen=True)
class Verdict:
    """What a set of statements says: explicitly denied, allowed, or nothing (neither)."""

    denied: bool
    allowed: bool
    sid: str = ""


def judge(
    rules: Sequence[Statement],
    action: str,
    resource: str,
    context: Context,
    named: Callable[[Statement], bool] = lambda _: True,
) -> Verdict:
    """Ask every statement that `named` admits: one Deny outweighs any number of Allows."""
    allowed, sid = False, ""
    for rule in rules:
        if (rule.allow and allowed) or not named(rule) or not rule.applies(action, resource, context):
            continue
        if not rule.allow:
            return Verdict(denied=True, allowed=False, sid=rule.sid)
        allowed, sid = True, rule.sid
    return Verdict(denied=False, allowed=allowed, sid=sid)
