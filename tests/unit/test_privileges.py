"""What a role was seen to do against what it may."""

from __future__ import annotations

from typing import Any

from infra.local.front_door import Call
from infra.local.iam import unique_id
from infra.local.privileges import Grant, decide, unused

ROLE = "arn:aws:iam::123456789012:role/Record"
ARN = "arn:aws:sts::123456789012:assumed-role/Record/record"


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **s} for s in statements]}


def call(action: str, resource: str, *, allowed: bool = True, **context: str) -> Call:
    return Call(ARN, ROLE, action, resource, allowed, {k.replace("__", ":"): v for k, v in context.items()})


def test_a_recorded_call_is_decided_by_the_roles_policies_in_its_own_context():
    through = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    policies = [policy({"Action": "kms:Decrypt", "Resource": "*", "Condition": through})]
    assert decide(call("kms:Decrypt", "arn:k", kms__ViaService="s3.us-east-1.amazonaws.com"), policies).allowed
    assert not decide(call("kms:Decrypt", "arn:k"), policies).allowed


def test_what_nobody_needed_is_listed_pair_by_pair():
    policies = [
        policy({"Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["arn:aws:s3:::a/*", "arn:aws:s3:::b/*"]})
    ]
    calls = [
        call("s3:GetObject", "arn:aws:s3:::a/1"),
        call("s3:PutObject", "arn:aws:s3:::b/1", allowed=False),
        Call(ARN, "another", "s3:PutObject", "arn:aws:s3:::a/1", True, {}),
    ]
    assert unused(ROLE, policies, calls) == [
        Grant("Record", "s3:GetObject", "arn:aws:s3:::b/*"),
        Grant("Record", "s3:PutObject", "arn:aws:s3:::a/*"),
        Grant("Record", "s3:PutObject", "arn:aws:s3:::b/*"),
    ]


def test_a_grant_to_ones_own_prefix_counts_as_used():
    policies = [policy({"Action": "s3:PutObject", "Resource": "arn:aws:s3:::u/${aws:userid}/*"})]
    user_id = f"{unique_id('AROA', ROLE)}:record"
    assert unused(ROLE, policies, [call("s3:PutObject", f"arn:aws:s3:::u/{user_id}/a.py")]) == []
