"""Who may do what: no wildcard without a reason, buckets that nobody opens by accident."""

import json
from typing import Any

import pytest

from tests.infra.template import Template, listed

EVERYWHERE = {
    "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses", "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",  # no ARN before it exists
    "xray:PutTelemetryRecords", "xray:PutTraceSegments",  # X-Ray has no resources
    "cloudwatch:DescribeAlarms", "cloudwatch:GetDashboard", "cloudwatch:GetMetricData",  # nor has reading metrics
    "cloudwatch:ListDashboards", "cloudwatch:ListMetrics",
}  # fmt: skip


def statements(template: Template) -> list[tuple[str, dict[str, Any]]]:
    found = [(p, s) for p, r in template.of("AWS::IAM::Policy") for s in r["PolicyDocument"]["Statement"]]
    for path, role in template.of("AWS::IAM::Role"):
        found += [(path, s) for policy in role.get("Policies", []) for s in policy["PolicyDocument"]["Statement"]]
    return found


def test_no_statement_allows_every_action_of_a_service(templates: dict[str, Template]) -> None:
    for template in templates.values():
        for path, statement in statements(template):
            for action in listed(statement["Action"]):
                assert "*" not in action, path


def test_what_is_allowed_on_every_resource_has_no_narrower_one(templates: dict[str, Template]) -> None:
    wide = {
        action
        for template in templates.values()
        for _, statement in statements(template)
        for action in listed(statement["Action"])
        if "*" in listed(statement["Resource"])
    }
    assert wide == EVERYWHERE


def granted(control: Template, role: str) -> dict[str, set[str]]:
    """Return action -> resources of a role's policy, without network, log and trace."""
    (policy,) = [r for p, r in control.of("AWS::IAM::Policy") if p == f"{role}/DefaultPolicy"]
    found: dict[str, set[str]] = {}
    for statement in policy["PolicyDocument"]["Statement"]:
        for action in listed(statement["Action"]):
            if action.split(":")[0] not in ("ec2", "logs", "xray"):
                names = {short(control.text(r)) for r in listed(statement["Resource"])}
                found.setdefault(action, set()).update(names)
    return found


def short(arn: str) -> str:
    """Return an ARN with the names of exports cut to what they name."""
    for export, name in (
        ("RunsObjects", "runs"), ("MarketObjects", "market"), ("RunsKey", "runs-key"), ("MarketKey", "market-key"),
        ("DatabaseKey", "database-key"), ("DatabaseInstanceSecretAttachment", "secret"),
    ):  # fmt: skip
        if f"Ref{export}" in arn or f"GetAtt{export}" in arn:
            return name + arn.rpartition(">")[2]
    return arn.replace("<", "").replace(">", "")


def test_dispatch_reads_run_manifests_and_nothing_else(control: Template) -> None:
    assert granted(control, "Dispatch/Role") == {
        "secretsmanager:GetSecretValue": {"secret"},
        "kms:Decrypt": {"database-key", "runs-key"},
        "s3:GetObject": {"runs/runs/*/run.json"},
        "sqs:ReceiveMessage": {"Tasks/Queue.Arn"},
        "sqs:DeleteMessage": {"Tasks/Queue.Arn"},
        "sqs:GetQueueAttributes": {"Tasks/Queue.Arn"},
    }


def test_rendering_reads_what_it_shows_and_copies_and_writes_reports(control: Template) -> None:
    may = granted(control, "Render/Role")
    shown = {f"runs/runs/*/{part}" for part in ("run.json", "result.json", "artifacts/*", "logs/*")}
    assert {action: of for action, of in may.items() if action.startswith("s3:")} == {
        "s3:GetObject": {*shown, "runs/code/*"},
        "s3:PutObject": {"runs/reports/*"},
        "s3:ListBucket": {"runs"},
    }


def test_recording_reads_events_and_the_version_of_a_result_that_its_event_pins(control: Template) -> None:
    for role in ("Record/Role", "Reconcile/Role"):
        may = granted(control, role)
        assert may["s3:GetObject"] == {"runs/runs/*/events/*.json", "runs/runs/*/result.json"}
        assert may["s3:GetObjectVersion"] == {"runs/runs/*/result.json"}
        assert may["s3:ListBucket"] == {"runs"}


def test_only_the_credentials_function_takes_the_runners_role(control: Template) -> None:
    assert granted(control, "Credentials/Role")["sts:AssumeRole"] == {"Runner/Role.Arn"}
    roles = dict(control.of("AWS::IAM::Role"))
    (trust,) = roles["Runner/Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Action"] == "sts:AssumeRole"
    assert control.text(trust["Principal"]["AWS"]) == "<Credentials/Role.Arn>"


def test_no_session_of_a_runner_writes_outside_of_runs(control: Template) -> None:
    granted_here = granted(control, "Runner/Role")
    assert granted_here["s3:PutObject"] == {"runs/runs/*"}
    assert granted_here["s3:GetObject"] == {"market/*", "runs/runs/*", "runs/code/*"}


@pytest.mark.parametrize(
    ("function", "writes"),
    [
        (
            "Api",
            {
                "runs/code/*",
                "runs/runs/*/run.json",
                "market/snapshots/*/history.json",
                "market/snapshots/*/latest.json",
            },
        ),
        ("Upload", {"runs/code/*", "runs/runs/*/run.json", "UploadDrop/Bucket/Objects.Arn/status/*"}),
        ("Render", {"runs/reports/*"}),
        ("Ingest", {"market/*", *(f"VendorDrop/Bucket/Objects.Arn/{prefix}/*" for prefix in ("status", "working"))}),
        ("Record", set()),
        ("Reconcile", set()),
        ("Dispatch", set()),
        ("Credentials", set()),
        ("Migrate", set()),
    ],
)
def test_a_function_writes_only_its_own_objects(control: Template, function: str, writes: set[str]) -> None:
    assert granted(control, f"{function}/Role").get("s3:PutObject", set()) == writes


@pytest.mark.parametrize("person", ["Researcher", "DataOwner", "Operator"])
def test_a_person_assumes_a_role_under_their_own_name_only(control: Template, person: str) -> None:
    role = dict(control.of("AWS::IAM::Role"))[f"People/{person}"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"sts:RoleSessionName": "${aws:username}"}}


def test_researchers_drop_below_their_own_id_and_never_prices(control: Template) -> None:
    may = granted(control, "People/Researcher")
    upload = "UploadDrop/Bucket/Objects.Arn"
    assert may["s3:PutObject"] == {upload + "/incoming/${aws:userid}/*"}
    assert may["s3:GetObject"] == {upload + "/status/incoming/${aws:userid}/*"}
    assert not [r for resources in may.values() for r in resources if "Vendor" in r or "market" in r]
    assert granted(control, "People/DataOwner")["s3:PutObject"] == {"VendorDrop/Bucket/Objects.Arn/incoming/*"}


def test_every_bucket_is_private_versioned_encrypted_and_spoken_to_over_tls(templates: dict[str, Template]) -> None:
    seen = set()
    for template in templates.values():
        policies = {template.text(r["Bucket"]): r["PolicyDocument"] for _, r in template.of("AWS::S3::BucketPolicy")}
        for path, bucket in template.of("AWS::S3::Bucket"):
            seen.add(path)
            assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
            assert len(bucket["PublicAccessBlockConfiguration"]) == 4
            assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
            assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            refusals = [s for s in policies[f"<{path}>"]["Statement"] if s["Effect"] == "Deny"]
            assert {"Bool": {"aws:SecureTransport": "false"}} in [s["Condition"] for s in refusals]
    drops = {"UploadDrop/Bucket/Objects", "VendorDrop/Bucket/Objects"}
    assert seen == {"Market/Objects", "Runs/Objects", "Tools/Objects"} | drops


def test_the_database_is_private_encrypted_backed_up_and_its_password_generated(foundation: Template) -> None:
    ((_, instance),) = foundation.of("AWS::RDS::DBInstance")
    assert (instance["PubliclyAccessible"], instance["StorageEncrypted"], instance["MultiAZ"]) == (False, True, True)
    assert instance["BackupRetentionPeriod"] >= 7
    assert "resolve:secretsmanager" in foundation.text(instance["MasterUserPassword"])


def test_there_is_no_way_out_of_the_network(foundation: Template) -> None:
    types = {r["Type"] for r in foundation.resources.values()}
    assert not types & {"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route"}


def test_the_storage_endpoint_knows_the_platforms_buckets_only(foundation: Template) -> None:
    ((_, gateway),) = [(p, r) for p, r in foundation.of("AWS::EC2::VPCEndpoint") if r["VpcEndpointType"] == "Gateway"]
    resources = {foundation.text(r) for s in gateway["PolicyDocument"]["Statement"] for r in listed(s["Resource"])}
    own = "arn:<AWS::Partition>:s3:::tapedeck-*-<AWS::AccountId>-us-east-1"
    assert resources == {own, f"{own}/*", "arn:<AWS::Partition>:s3:::prod-us-east-1-starport-layer-bucket/*"}


def test_templates_hold_no_secret(templates: dict[str, Template]) -> None:
    text = json.dumps([t.body for t in templates.values()])
    assert "AKIA" not in text
    assert "BEGIN RSA" not in text


def test_only_ingest_writes_months_and_sealed_years(control: Template) -> None:
    roles = {path.removesuffix("/DefaultPolicy") for path, _ in control.of("AWS::IAM::Policy")}
    writers = {
        role: {resource for resource in granted(control, role).get("s3:PutObject", ()) if resource.startswith("market")}
        for role in roles
        if role.endswith("/Role")
    }
    assert {role: keys for role, keys in writers.items() if keys} == {
        "Ingest/Role": {"market/*"},  # months, sealed years, snapshots
        "Api/Role": {"market/snapshots/*/history.json", "market/snapshots/*/latest.json"},
    }
