"""Who may assume a role: its trust policy, and where that names only the account, the caller's own policies too."""

from __future__ import annotations

from collections.abc import Mapping

from infra.local.iam import SILENT, Decision, Principal, Role, evaluate, request_context
from infra.local.policies import Statement, Value, judge, statements

ASSUME = "sts:AssumeRole"


def service_may_assume(role: Role, service: str, context: Mapping[str, Value] | None = None) -> Decision:
    """Decide whether an AWS service, such as lambda.amazonaws.com, may run as the role."""
    known = {key.lower(): value for key, value in (context or {}).items()}

    def named(rule: Statement) -> bool:
        return service in rule.principals.get("Service", ())

    verdict = judge(statements(role.trust, trust=True), ASSUME, role.arn, known, named)
    return Decision(verdict.allowed, f"{service} is {'' if verdict.allowed else 'not '}trusted by {role.arn}")


def may_assume(
    role: Role, caller: Principal, session_name: str, context: Mapping[str, Value] | None = None, action: str = ASSUME
) -> Decision:
    """Decide whether a principal may assume the role under that session name."""
    request = {"sts:RoleSessionName": session_name, **(context or {})}
    known = request_context(caller, request)
    rules = statements(role.trust, trust=True)
    own = evaluate(caller, action, role.arn, request)
    by_name = judge(rules, action, role.arn, known, lambda rule: _names(rule, caller))
    verdict = judge(rules, action, role.arn, known, lambda rule: _names(rule, caller) or _names_account(rule, caller))
    if not verdict.allowed:
        return Decision(False, f"the role's trust policy {'denies' if verdict.denied else 'does not allow'} it")
    if by_name.allowed and own.reason == SILENT and caller.session_rules is None:
        return Decision(True, "the role's trust policy names the caller")
    return own


def _names(rule: Statement, caller: Principal) -> bool:
    return bool({caller.arn, caller.role_arn, "*"} & set(rule.principals.get("AWS", ())))


def _names_account(rule: Statement, caller: Principal) -> bool:
    return bool({caller.account, f"arn:aws:iam::{caller.account}:root"} & set(rule.principals.get("AWS", ())))
