"""Least privilege by what happened: what a function did, its role allows; what no function needed is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local import demo
from infra.local.front_door import Call
from infra.local.privileges import decide, unused
from infra.local.stack import Stack

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SERVICES_OWN = ("ec2:", "logs:", "xray:")  # what Lambda itself does in a function's name


@pytest.fixture(scope="module")
def calls(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    """Every kind of call of the main job: ingest, a submission and a drop, their runs and reports, a look at it all."""
    demo.ingest(stack)
    alice, bob = demo.client(stack, "alice"), demo.client(stack, "bob")
    submitted = alice.submit(EXAMPLES / "crossover.py")["job_id"]
    dropped = demo.drop(stack, "bob", EXAMPLES / "momentum.ipynb")["job_id"]
    demo.follow([("crossover.py", alice, submitted), ("momentum.ipynb", bob, dropped)])
    alice.download(submitted, tmp_path_factory.mktemp("report"))
    return stack.calls()


def test_no_function_and_no_sidecar_is_ever_refused(stack: Stack, calls: list[Call]):
    people = {arn for arn in stack.wires.roles if any(p in arn for p in ("Researcher", "DataOwner", "Operator"))}
    assert [c for c in calls if c.role is not None and c.role not in people and not c.allowed] == []


def test_whatever_a_function_did_its_role_in_the_template_allows(stack: Stack, calls: list[Call]):
    for function in stack.wires.functions.values():
        policies = stack.wires.roles[function.role_arn].policies
        mine = [c for c in calls if c.role == function.role_arn]
        assert [(c.action, c.resource) for c in mine if not decide(c, policies).allowed] == [], function.path


def test_each_function_with_work_in_the_main_job_was_seen_at_it(stack: Stack, calls: list[Call]):
    seen = {(c.role, c.action) for c in calls if c.allowed}
    wanted = {
        "api": {"secretsmanager:GetSecretValue", "s3:GetObject", "s3:PutObject", "sqs:SendMessage"},
        "ingest": {"s3:GetObject", "s3:PutObject", "sqs:ReceiveMessage"},
        "upload": {"s3:GetObject", "s3:PutObject", "sqs:SendMessage"},
        "dispatch": {"secretsmanager:GetSecretValue", "s3:GetObject", "sqs:ReceiveMessage", "sqs:DeleteMessage"},
        "credentials": {"sts:AssumeRole"},
        "record": {"s3:GetObject", "sqs:ReceiveMessage"},
        "render": {"s3:GetObject", "s3:PutObject"},
    }
    for function in stack.wires.functions.values():
        name = function.handler.split(".")[-2]
        missing = {a for a in wanted.get(name, set()) if (function.role_arn, a) not in seen}
        assert missing == set(), f"{name} was not seen to use {missing}"


def test_a_sidecars_session_writes_below_its_own_attempt_only(stack: Stack, calls: list[Call]):
    written = [c for c in calls if c.action == "s3:PutObject" and c.role and "runner" in c.role]
    assert written
    for call in written:
        job, _, attempt = call.principal.rpartition("/")[2].removeprefix("bt-")[:38].rpartition("-")
        assert f"/runs/{job}/{attempt}/" in call.resource


def test_what_is_granted_and_was_never_used_is_told(stack: Stack, calls: list[Call]):
    idle = [
        grant
        for arn, role in stack.wires.roles.items()
        for grant in unused(arn, role.policies, calls)
        if not grant.action.startswith(SERVICES_OWN)
    ]
    lines = [f"{grant.role:44} {grant.action:32} {grant.resource}" for grant in idle]
    report = "\n".join(["granted and never used in this run:", *lines])
    (stack.logs_dir / "never-used.txt").write_text(f"{report}\n")
    print(report)
    used = {c.action for c in calls if c.allowed}
    assert {"s3:PutObject", "kms:GenerateDataKey", "sts:AssumeRole", "execute-api:Invoke"} <= used
