"""The evaluation of policies, checked on documents as the template and AWS's own manual write them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.iam import Identities, Principal, Role, evaluate, root, unique_id, user
from infra.local.policies import Document, UnknownPolicyElementError
from infra.local.trust import may_assume, service_may_assume

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Researcher"


def policy(*statements: dict[str, Any]) -> Document:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **s} for s in statements]}


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Action": action, "Resource": resource, **more}


def session(*statements: dict[str, Any], name: str = "alice", narrowed: Document | None = None) -> Principal:
    identities = Identities()
    identities.add_role(Role(ROLE, policy({"Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}), ()))
    identities.add_role(Role(ROLE, {"Version": "2012-10-17", "Statement": []}, (policy(*statements),)))
    return identities.assume(ROLE, name, narrowed)


def allowed(who: Principal, action: str, resource: str, **context: Any) -> bool:
    return evaluate(who, action, resource, {k.replace("__", ":"): v for k, v in context.items()}).allowed


def test_what_no_policy_allows_is_denied():
    assert not allowed(session(), "s3:GetObject", "arn:aws:s3:::runs/a")


def test_an_explicit_deny_outweighs_any_allow():
    who = session(allow("s3:*"), allow("s3:GetObject", "arn:aws:s3:::runs/secret/*", Effect="Deny"))
    assert allowed(who, "s3:GetObject", "arn:aws:s3:::runs/open/a")
    assert not allowed(who, "s3:GetObject", "arn:aws:s3:::runs/secret/a")


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("s3:Get*", "s3:GetObject", True),
        ("S3:getobject", "s3:GetObject", True),
        ("s3:GetObject", "s3:GetObjectVersion", False),
        ("s3:G?tObject", "s3:GetObject", True),
        ("sqs:*", "s3:GetObject", False),
        ("*", "s3:GetObject", True),
        ("s3.GetObject", "s3:GetObject", False),
    ],
)
def test_action_patterns_know_star_and_question_mark_and_ignore_case(pattern: str, action: str, expected: bool):
    assert allowed(session(allow(pattern)), action, "arn:aws:s3:::b/k") is expected


def test_a_resource_pattern_is_case_sensitive_and_literal_but_for_its_wildcards():
    who = session(allow("s3:GetObject", ["arn:aws:s3:::runs/a.b", "arn:aws:s3:::data/*/x?"]))
    assert allowed(who, "s3:GetObject", "arn:aws:s3:::runs/a.b")
    assert not allowed(who, "s3:GetObject", "arn:aws:s3:::runs/aXb")
    assert not allowed(who, "s3:GetObject", "arn:aws:s3:::RUNS/a.b")
    assert allowed(who, "s3:GetObject", "arn:aws:s3:::data/1/2/x9")


def test_not_action_and_not_resource_list_the_exceptions():
    who = session({"NotAction": "iam:*", "NotResource": "arn:aws:s3:::vendor/*"})
    assert allowed(who, "s3:GetObject", "arn:aws:s3:::runs/a")
    assert not allowed(who, "iam:CreateUser", "arn:aws:s3:::runs/a")
    assert not allowed(who, "s3:GetObject", "arn:aws:s3:::vendor/a")


def test_a_session_policy_narrows_and_never_widens():
    narrowed = policy(allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::runs/1/*"))
    who = session(allow("s3:GetObject"), narrowed=narrowed)
    assert allowed(who, "s3:GetObject", "arn:aws:s3:::runs/1/a")
    assert not allowed(who, "s3:GetObject", "arn:aws:s3:::runs/2/a")
    assert not allowed(who, "s3:PutObject", "arn:aws:s3:::runs/1/a")


def test_the_user_id_opens_ones_own_prefix_only():
    who = session(allow("s3:PutObject", "arn:aws:s3:::upload/incoming/${aws:userid}/*"))
    assert who.user_id == f"{unique_id('AROA', ROLE)}:alice"
    assert allowed(who, "s3:PutObject", f"arn:aws:s3:::upload/incoming/{who.user_id}/a.py")
    assert not allowed(who, "s3:PutObject", f"arn:aws:s3:::upload/incoming/{who.user_id[:-5]}bob/a.py")


def test_a_wildcard_inside_of_a_variables_value_is_literal():
    for name in ("*", "b.b", "b?b"):
        who = session(allow("s3:PutObject", "arn:aws:s3:::upload/${aws:userid}/*"), name=name)
        others = who.user_id.removesuffix(name) + "bob"
        assert not allowed(who, "s3:PutObject", f"arn:aws:s3:::upload/{others}/a.py")


def test_an_unknown_variable_matches_nothing_and_a_default_stands_in():
    who = session(
        allow("s3:PutObject", ["arn:aws:s3:::u/${aws:username}/*", "arn:aws:s3:::d/${aws:username, 'none'}/*"])
    )
    assert not allowed(who, "s3:PutObject", "arn:aws:s3:::u//a")
    assert not allowed(who, "s3:PutObject", "arn:aws:s3:::u/${aws:username}/a")
    assert allowed(who, "s3:PutObject", "arn:aws:s3:::d/none/a")


@pytest.mark.parametrize(
    ("block", "context", "expected"),
    [
        ({"StringEquals": {"s3:prefix": ["a/", "b/"]}}, {"s3:Prefix": "b/"}, True),
        ({"StringEquals": {"s3:prefix": "a/"}}, {}, False),
        ({"StringEqualsIfExists": {"s3:prefix": "a/"}}, {}, True),
        ({"StringEqualsIfExists": {"s3:prefix": "a/"}}, {"s3:prefix": "b/"}, False),
        ({"StringNotEquals": {"s3:prefix": "a/"}}, {}, True),
        ({"StringNotEquals": {"s3:prefix": ["a/", "b/"]}}, {"s3:prefix": "b/"}, False),
        ({"StringLike": {"s3:prefix": "runs/*"}}, {"s3:prefix": "runs/1"}, True),
        ({"StringNotLike": {"s3:prefix": "runs/*"}}, {"s3:prefix": "runs/1"}, False),
        ({"StringEqualsIgnoreCase": {"k": "ABC"}}, {"k": "abc"}, True),
        ({"StringEquals": {"k": "ab*"}}, {"k": "abc"}, False),
        ({"StringEquals": {"k": "${aws:PrincipalAccount}"}}, {"k": ACCOUNT}, True),
        ({"Bool": {"aws:SecureTransport": False}}, {"aws:SecureTransport": "false"}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, {}, False),
        ({"NumericLessThanEquals": {"s3:max-keys": 10}}, {"s3:max-keys": "10"}, True),
        ({"NumericLessThan": {"s3:max-keys": "10"}}, {"s3:max-keys": "ten"}, False),
        ({"NumericNotEquals": {"s3:max-keys": "10"}}, {"s3:max-keys": "11"}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, {}, False),
        ({"DateGreaterThan": {"aws:EpochTime": "2020-01-01T00:00:00Z"}}, {}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws:SourceIp": "10.1.2.3"}, True),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws:SourceIp": "10.1.2.3"}, False),
        ({"Null": {"aws:TokenIssueTime": "true"}}, {}, True),
        ({"Null": {"k": "true"}}, {"k": "v"}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::up*"}}, {"aws:SourceArn": "arn:aws:s3:::upload"}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:*:up"}}, {"aws:SourceArn": "arn:aws:s3:::up"}, False),
        ({"ArnEquals": {"aws:PrincipalArn": ROLE}}, {}, True),
        ({"ArnNotEquals": {"aws:PrincipalArn": ROLE}}, {}, False),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {"aws:TagKeys": ["a", "b"]}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {"aws:TagKeys": ["a", "b"]}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {}, False),
        ({"StringEquals": {"a": "1"}, "Bool": {"b": "true"}}, {"a": "1", "b": "false"}, False),
        ({"StringEquals": {"a": "1", "b": "2"}}, {"a": "1", "b": "2"}, True),
    ],
)
def test_conditions_hold_as_aws_defines_them(block: dict[str, Any], context: dict[str, Any], expected: bool):
    who = session(allow("s3:ListBucket", Condition=block))
    assert evaluate(who, "s3:ListBucket", "arn:aws:s3:::runs", context).allowed is expected


def test_a_request_cannot_claim_to_be_another_principal():
    who = session(allow("s3:*", Condition={"StringEquals": {"aws:userid": "AROAX:bob"}}))
    assert not evaluate(who, "s3:GetObject", "arn:aws:s3:::b/k", {"aws:userid": "AROAX:bob"}).allowed


@pytest.mark.parametrize(
    ("document", "named"),
    [
        (policy(allow("s3:*", Condition={"StringSounds": {"k": "v"}})), "StringSounds"),
        (policy(allow("s3:*", Condition={"ForNoValue:StringEquals": {"k": "v"}})), "ForNoValue:StringEquals"),
        (policy(allow("s3:*", Principle="*")), "Principle"),
        ({"Version": "2008-10-17", "Statement": []}, "2008-10-17"),
        (policy({"Action": "s3:*"}), "Resource"),
    ],
)
def test_what_the_evaluation_does_not_know_raises_by_name_when_it_is_registered(document: Document, named: str):
    with pytest.raises(UnknownPolicyElementError, match=named):
        Identities().add_role(Role(ROLE, {"Version": "2012-10-17", "Statement": []}, (document,)))


def test_the_root_is_asked_nothing():
    assert allowed(root(ACCOUNT), "s3:DeleteBucket", "arn:aws:s3:::runs")


def test_an_unchanged_registry_in_another_process_knows_the_same_identities(tmp_path):
    ours, theirs = Identities(tmp_path), Identities(tmp_path)
    ours.add_role(Role(ROLE, policy(), (policy(allow("s3:GetObject")),)))
    made = ours.assume(ROLE, "alice", policy(allow("s3:*")), duration=900)
    known = theirs.by_access_key(made.access_key)
    assert known is not None
    assert (known.user_id, known.token, known.expires) == (made.user_id, made.token, made.expires)
    assert allowed(known, "s3:GetObject", "arn:aws:s3:::b/k")
    assert theirs.assume(ROLE, "bob").arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/Researcher/bob"
    assert theirs.by_access_key("../../etc/passwd") is None
    assert {p.stat().st_mode & 0o777 for p in tmp_path.iterdir()} == {0o600}


def test_temporary_credentials_say_when_they_end():
    made = session()
    assert made.access_key.startswith("ASIA")
    assert made.token
    assert made.expires is not None
    assert 3590 < made.expires - time.time() <= 3600


OWN_NAME = policy(
    {
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:RoleSessionName": "${aws:username}"}},
    }
)


def test_a_role_that_trusts_the_account_needs_the_callers_own_policy_too():
    role = Role(ROLE, OWN_NAME)
    assert not may_assume(role, user(ACCOUNT, "alice"), "alice").allowed
    assert may_assume(role, user(ACCOUNT, "alice", (policy(allow("sts:AssumeRole", ROLE)),)), "alice").allowed


def test_nobody_takes_a_session_name_that_is_not_his_own():
    alice = user(ACCOUNT, "alice", (policy(allow("sts:AssumeRole", ROLE)),))
    assert not may_assume(Role(ROLE, OWN_NAME), alice, "bob").allowed


def test_a_role_that_names_the_caller_needs_no_policy_of_his_unless_that_denies():
    alice = user(ACCOUNT, "alice")
    trust = policy({"Principal": {"AWS": alice.arn}, "Action": "sts:AssumeRole"})
    assert may_assume(Role(ROLE, trust), alice, "alice").allowed
    refused = user(ACCOUNT, "alice", (policy(allow("sts:*", Effect="Deny")),))
    assert not may_assume(Role(ROLE, trust), refused, "alice").allowed
    assert not may_assume(Role(ROLE, trust), user(ACCOUNT, "bob", (policy(allow("*")),)), "bob").allowed


def test_a_service_is_trusted_by_its_name_only():
    role = Role(ROLE, policy({"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}))
    assert service_may_assume(role, "lambda.amazonaws.com").allowed
    assert not service_may_assume(role, "pods.eks.amazonaws.com").allowed
    assert not may_assume(role, user(ACCOUNT, "alice", (policy(allow("*")),)), "alice").allowed


ACTIONS = st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:*", "*", "sqs:SendMessage", "s3:Get*"])
RESOURCES = st.sampled_from(["*", "arn:aws:s3:::runs/*", "arn:aws:s3:::runs/${aws:userid}/*", "arn:aws:sqs:::q"])
BLOCKS = st.sampled_from(
    [{}, {"StringLike": {"s3:prefix": "a*"}}, {"Null": {"s3:prefix": "true"}}, {"Bool": {"x": "true"}}]
)
STATEMENTS = st.builds(
    lambda effect, action, resource, block: {
        "Effect": effect,
        "Action": action,
        "Resource": resource,
        "Condition": block,
    },
    st.sampled_from(["Allow", "Deny"]),
    ACTIONS,
    RESOURCES,
    BLOCKS,
)
REQUESTS = st.tuples(
    st.sampled_from(["s3:GetObject", "s3:PutObject", "sqs:SendMessage"]),
    st.sampled_from(["arn:aws:s3:::runs/1", f"arn:aws:s3:::runs/{unique_id('AROA', ROLE)}:alice/x", "arn:aws:sqs:::q"]),
    st.sampled_from([{}, {"s3:prefix": "abc"}, {"x": "true"}]),
)


@given(st.lists(STATEMENTS, max_size=4), STATEMENTS, REQUESTS)
def test_adding_a_deny_never_grants_and_adding_an_allow_never_takes(rules, extra, request):
    before = evaluate(session(*rules), *request).allowed
    after = evaluate(session(*rules, extra), *request).allowed
    assert (after <= before) if extra["Effect"] == "Deny" else (after >= before)


@given(st.lists(STATEMENTS, max_size=4), st.lists(STATEMENTS, max_size=3), REQUESTS)
def test_no_session_policy_grants_what_the_role_does_not(rules, narrowed, request):
    assert (
        evaluate(session(*rules, narrowed=policy(*narrowed)), *request).allowed
        <= evaluate(session(*rules), *request).allowed
    )
