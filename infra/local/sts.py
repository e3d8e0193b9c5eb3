"""The part of STS that the platform uses: moto does not know our identities and ignores session policies."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from infra.local.actions import Parameters
from infra.local.iam import Decision, Identities, Principal
from infra.local.need import Need
from infra.local.policies import UnknownPolicyElementError, statements
from infra.local.refusals import Answer
from infra.local.sigv4 import Fault, RefusedError
from infra.local.trust import ASSUME, may_assume

Authorise = Callable[[Need, Decision], None]
"""Records the decision on a need and raises RefusedError where it is a no."""
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}")
_ASSUME_PARAMETERS = {"Action", "Version", "RoleArn", "RoleSessionName", "DurationSeconds", "Policy", "ExternalId"}
POLICY_LIMIT = 2048  # characters of a session policy


def answer(
    operation: str, call: Parameters, *, caller: Principal, identities: Identities, authorise: Authorise
) -> Mapping[str, Any]:
    """Return the result of GetCallerIdentity or AssumeRole; raises RefusedError for anything else."""
    if operation == "GetCallerIdentity":
        return {"Arn": caller.arn, "UserId": caller.user_id, "Account": caller.account}
    if operation == "AssumeRole":
        return _assume_role(call, caller, identities, authorise)
    raise RefusedError(Fault.NOT_IMPLEMENTED, f"the local STS does not know {operation}", "sts")


def render(operation: str, result: Mapping[str, Any], accept: str | None) -> Answer:
    """Return a result as XML, or as JSON for who asks for it."""
    body = {f"{operation}Result": result, "ResponseMetadata": {"RequestId": str(uuid.uuid4())}}
    if accept == "application/json":
        return 200, [("Content-Type", "application/json")], json.dumps({f"{operation}Response": body}).encode()
    namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
    xml = f'<{operation}Response xmlns="{namespace}">{_xml(body)}</{operation}Response>'
    return 200, [("Content-Type", "text/xml")], xml.encode()


def _assume_role(call: Parameters, caller: Principal, identities: Identities, authorise: Authorise) -> dict[str, Any]:
    if unknown := {n for n in call if not n.startswith("X-Amz-")} - _ASSUME_PARAMETERS:
        raise RefusedError(Fault.NOT_IMPLEMENTED, f"AssumeRole's {sorted(unknown)[0]} is not implemented", "sts")
    arn, name = str(call.get("RoleArn", "")), str(call.get("RoleSessionName", ""))
    context = {"sts:RoleSessionName": name} | ({"sts:ExternalId": call["ExternalId"]} if "ExternalId" in call else {})
    role = identities.role(arn)
    decision = Decision(False, "there is no such role")
    if role is not None:
        decision = may_assume(role, caller, name, context)
    authorise(Need(ASSUME, arn, context), decision)
    if not _SESSION_NAME.fullmatch(name):
        raise RefusedError(Fault.INVALID, "RoleSessionName must have 2 to 64 characters of [\\w+=,.@-]", "sts")
    longest = min(3600, role.max_duration) if role and caller.role_arn else role.max_duration if role else 0
    duration = _duration(call, longest)
    session = identities.assume(arn, name, _policy(call.get("Policy")), duration)
    ends = datetime.fromtimestamp(session.expires or 0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "AssumedRoleUser": {"AssumedRoleId": session.user_id, "Arn": session.arn},
        "Credentials": {
            "AccessKeyId": session.access_key,
            "SecretAccessKey": session.secret_key,
            "SessionToken": session.token,
            "Expiration": ends,
        },
    }


def _duration(call: Parameters, longest: int) -> int:
    """Return the session's seconds: an hour where nothing is asked; a role's session makes an hour at most."""
    asked = str(call.get("DurationSeconds", "3600"))
    if not asked.isdecimal() or not 900 <= int(asked) <= longest:
        raise RefusedError(Fault.INVALID, f"DurationSeconds {asked} is not between 900 and {longest}", "sts")
    return int(asked)


def _policy(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    if len(text) > POLICY_LIMIT:
        raise RefusedError(Fault.INVALID, f"the session policy has more than {POLICY_LIMIT} characters", "sts")
    try:
        document: dict[str, Any] = json.loads(text)
        statements(document)
    except (ValueError, KeyError, TypeError, UnknownPolicyElementError) as wrong:
        raise RefusedError(Fault.INVALID, f"the session policy cannot be evaluated: {wrong}", "sts") from wrong
    return document


def _xml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_xml(inner)}</{name}>" for name, inner in value.items())
    return escape(str(value))
