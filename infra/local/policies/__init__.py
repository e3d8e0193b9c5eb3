"""IAM policy evaluation: documents, statements, conditions, wildcards and policy variables."""

from infra.local.policies.conditions import UnknownPolicyElementError
from infra.local.policies.statements import Document, Statement, Verdict, judge, statements
from infra.local.policies.wildcard import Context, Value

__all__ = ["Context", "Document", "Statement", "UnknownPolicyElementError", "Value", "Verdict", "judge", "statements"]
