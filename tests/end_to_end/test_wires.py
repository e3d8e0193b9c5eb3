"""The wires stand in the CDK app once: what is added there works locally, and nothing is taken for granted."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.local.child import StartError
from infra.local.deploy import DeployError
from infra.local.endpoints import runtime
from infra.local.ports import HOST, Ports, PortTakenError, owner
from infra.local.stack import ROOT, Stack

# The app, and one queue and one function more: as anybody would add them, in infra/ only.
COPY = """
import sys
from pathlib import Path

import app as original
import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs

from infra import platform, settings
from infra.permissions import allow
from infra.platform_function import PlatformFunction

root, out = map(Path, sys.argv[1:])
values = original.context()
app = cdk.App(outdir=str(out), context=values)
control = platform.build(app, settings.load(values), root=root).control
questions = control.queue("Questions", "questions", timeout=5)
answers = sqs.Queue(control, "Answers", queue_name="answers", enforce_ssl=True)
echo = PlatformFunction(
    control,
    "Echo",
    workshop=control.workshop,
    name="echo",
    timeout=5,
    memory=128,
    environment={"ANSWERS_QUEUE_URL": answers.queue_url},
    statements=[allow(["sqs:SendMessage"], [answers.queue_arn])],
)
questions.feed(echo, batch=1, concurrency=2)
app.synth()
"""
ECHO = """
import os
import boto3

def handler(event, context):
    for record in event["Records"]:
        boto3.client("sqs").send_message(QueueUrl=os.environ["ANSWERS_QUEUE_URL"], MessageBody=record["body"].upper())
"""


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthesise a copy of the app that has a function and a queue of its own."""
    root = tmp_path_factory.mktemp("copy")
    for name in ("functions", "layers", "container_runner"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("infra", "build"):
        (root / name).symlink_to(ROOT / name)
    (root / "functions" / "echo.py").write_text(ECHO)
    made = subprocess.run(
        [sys.executable, "-c", COPY, str(root), str(root / "cdk.out")],
        cwd=ROOT,
        env={**os.environ, "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-4000:]
    return root / "cdk.out"


def test_a_queue_and_a_function_added_to_the_app_work_and_leave_nothing_behind(
    copied: Path, tmp_path: Path, descendants: Callable[[], set[int]]
) -> None:
    before, mounts = descendants(), Path("/proc/mounts").read_text()
    with Stack(copied, tmp_path / "state", ports=Ports.any()) as stack:
        sqs = stack.client("sqs")
        sqs.send_message(QueueUrl=stack.queue("tapedeck-questions"), MessageBody="hello")
        answer = sqs.receive_message(QueueUrl=stack.queue("answers"), WaitTimeSeconds=20)["Messages"][0]["Body"]
        assert answer == "HELLO", (stack.logs_dir / "tapedeck-echo.log").read_text()
        called = {(c.action, c.resource.rpartition(":")[2]) for c in stack.calls() if "tapedeck-echo" in c.principal}
        assert ("sqs:SendMessage", "answers") in called
        assert ("sqs:ReceiveMessage", "tapedeck-questions") in called
        started = descendants() - before
        gateway = int(stack.api.split("/")[2].rpartition(":")[2])
        assert len(started) >= 4
    assert not descendants() & started
    assert owner(gateway) is None
    assert Path("/proc/mounts").read_text() == mounts


def test_an_unknown_resource_type_stops_the_start_with_its_name(
    assembly: Path, tmp_path: Path, descendants: Callable[[], set[int]]
) -> None:
    shutil.copytree(assembly, tmp_path / "cdk.out", ignore=shutil.ignore_patterns("asset.*"))
    template = tmp_path / "cdk.out" / "Tapedeck-Control.template.json"
    content = json.loads(template.read_text())
    content["Resources"]["Ledger"] = {"Type": "AWS::DynamoDB::Table", "Properties": {}}
    template.write_text(json.dumps(content))
    before = descendants()
    with (
        pytest.raises(DeployError, match=r"AWS::DynamoDB::Table Tapedeck-Control/Ledger"),
        Stack(tmp_path / "cdk.out", tmp_path / "state", ports=Ports.any()),
    ):
        raise AssertionError("it started")
    assert descendants() == before


def test_a_part_that_does_not_start_is_named_with_its_log_and_the_rest_ends(
    assembly: Path, tmp_path: Path, descendants: Callable[[], set[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.local.postgres.binaries", lambda: Path("/usr/bin/nowhere"))
    before = descendants()
    with (
        pytest.raises(StartError, match=r"PostgreSQL.*log is .*postgres\.log"),
        Stack(assembly, tmp_path / "state", ports=Ports.any()),
    ):
        raise AssertionError("it started")
    assert descendants() == before


def test_a_taken_port_stops_the_start_with_its_owner(stack: Stack, assembly: Path, tmp_path: Path) -> None:
    taken = int(stack.endpoint_url.rpartition(":")[2])
    with (
        pytest.raises(PortTakenError, match=rf"port {taken} is taken by pid \d+ .*TAPEDECK_PORT_GATEWAY="),
        Stack(assembly, tmp_path / "state", ports=Ports(taken, 0, 0, 0, 0)),
    ):
        raise AssertionError("it started")


def test_functions_run_from_the_bytes_that_the_assembly_deploys_and_the_checkout_holds(
    stack: Stack, assembly: Path
) -> None:
    ours = 0
    for name in stack.wires.called():
        for module, file in stack.modules(name).items():
            if not module.startswith(("functions", "backtest", "tapedeck", "contract", "run_objects", "sandbox")):
                continue
            path = Path(file)
            assert path.is_relative_to(assembly.resolve()), f"{name} imports {module} from {file}"
            relative = path.relative_to(assembly.resolve()).parts[1:]
            at = Path(*relative[1:]) if relative[0] == "python" else Path(*relative)
            source = next(s / at for s in (ROOT, ROOT / "layers", ROOT / "container_runner") if (s / at).exists())
            assert path.read_bytes() == source.read_bytes()
            ours += 1
    assert ours > 20


def test_a_function_imports_from_its_assets_and_the_standard_library_only(stack: Stack, assembly: Path) -> None:
    prefix = Path(sys.base_prefix).resolve()
    for name in stack.wires.called():
        foreign = [
            file
            for file in stack.modules(name).values()
            if not Path(file).resolve().is_relative_to(assembly.resolve())
            and (not Path(file).resolve().is_relative_to(prefix) or "-packages" in file)
        ]
        assert foreign == []


def test_no_variable_differs_from_the_templates_but_those_of_the_table(stack: Stack) -> None:
    for name in stack.wires.called():
        function = stack.wires.functions[name]
        found = stack.environment(name)
        injected = set(runtime(function, _Nobody()))
        changed = {key for key in found if key not in injected and found[key] != function.environment.get(key)}
        assert changed <= {"AWS_ENDPOINT_URL", "CREDENTIALS_URL"}, name
        assert not set(function.environment) - set(found)


class _Nobody:
    access_key = secret_key = ""
    token = None


def test_two_researchers_a_data_owner_and_an_operator_exist(stack: Stack) -> None:
    arns = {}
    for person in ("alice", "bob", "dana", "otto"):
        sts = stack.client("sts", person)
        arns[person] = sts.get_caller_identity()["Arn"].rpartition(":")[2]
    assert arns == {
        "alice": "assumed-role/tapedeck-Researcher-us-east-1/alice",
        "bob": "assumed-role/tapedeck-Researcher-us-east-1/bob",
        "dana": "assumed-role/tapedeck-DataOwner-us-east-1/dana",
        "otto": "assumed-role/tapedeck-Operator-us-east-1/otto",
    }


def test_nobody_assumes_a_role_under_anothers_name(stack: Stack) -> None:
    alice = stack._people._users["alice"]
    sts = boto3.client(
        "sts",
        endpoint_url=stack.endpoint_url,
        region_name=stack.region,
        aws_access_key_id=alice.access_key,
        aws_secret_access_key=alice.secret_key,
    )
    role = stack.outputs["Tapedeck-Control.ResearcherRole"]
    with pytest.raises(ClientError, match="AccessDenied"):
        sts.assume_role(RoleArn=role, RoleSessionName="bob")


def test_a_researcher_cannot_publish_prices(stack: Stack) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        stack.client("s3", "alice").put_object(
            Bucket=stack.bucket("VendorDrop"), Key="incoming/equities-1d/x.csv", Body=b"x"
        )


def test_the_schedule_the_drops_and_the_rules_are_those_of_the_template(stack: Stack) -> None:
    wires = stack.wires
    assert [(s.expression, s.function) for s in wires.schedules] == [("rate(1 minute)", "tapedeck-reconcile")]
    assert {n.bucket for n in wires.notifications} == {stack.bucket("UploadDrop"), stack.bucket("VendorDrop")}
    assert wires.triggers == ["tapedeck-migrate"]
    assert HOST in stack.database_dsn
