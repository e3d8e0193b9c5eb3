"""Queues, functions, routes, rules and drops, as the template states them."""

import json
from pathlib import Path

import pytest

from tests.infra.template import Template

DB, POWERTOOLS = {"DB_SECRET_ARN"}, {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}
IMAGES = {"SIDECAR_IMAGE", "STRATEGY_IMAGE"}
CLUSTER = {"CLUSTER_NAME", "CLUSTER_ENDPOINT", "CLUSTER_CA", "CLUSTER_NAMESPACE"}
BUCKETS = {"RUNS_BUCKET", "MARKET_BUCKET"}
ENVIRONMENTS = {
    "api": DB | BUCKETS | IMAGES | {"TASKS_QUEUE_URL", "OPERATOR_ROLE_ARN"},
    "upload": DB | BUCKETS | IMAGES | {"TASKS_QUEUE_URL", "UPLOAD_BUCKET"},
    "dispatch": DB | BUCKETS | IMAGES | CLUSTER | {"CREDENTIALS_URL"},
    "record": DB | {"RUNS_BUCKET", "TASKS_QUEUE_URL"},
    "render": DB | {"RUNS_BUCKET"},
    "reconcile": DB | BUCKETS | CLUSTER | {"TASKS_QUEUE_URL", "DEAD_LETTER_QUEUE_URL"},
    "ingest": DB | {"VENDOR_BUCKET", "MARKET_BUCKET", "VENDOR_QUEUE_URL"},
    "credentials": DB | BUCKETS | CLUSTER | {"RUNNER_ROLE_ARN"},
    "migrate": DB,
}
CONSUMERS = {
    "backtest_tasks": "dispatch",
    "run_events": "record",
    "render_tasks": "render",
    "uploads": "upload",
    "vendor_files": "ingest",
}


def ours(control: Template) -> dict[str, dict]:  # type: ignore[type-arg]
    found = [p for _, p in control.of("AWS::Lambda::Function") if str(p["Handler"]).startswith("functions.")]
    return {p["Handler"].split(".")[1]: p for p in found}


def test_the_stacks_are_the_four_that_the_design_names(assembly: Path) -> None:
    manifest = json.loads((assembly / "manifest.json").read_text())
    stacks = {k for k, v in manifest["artifacts"].items() if v["type"] == "aws:cloudformation:stack"}
    assert stacks == {f"Tapedeck-{n}" for n in ("Foundation", "Cluster", "Control", "Observability")}
    assert not manifest.get("missing")  # no look-up was asked for


def test_every_function_is_told_what_it_needs_and_no_more(control: Template) -> None:
    told = {name: set(p["Environment"]["Variables"]) for name, p in ours(control).items()}
    assert told == {name: names | POWERTOOLS for name, names in ENVIRONMENTS.items()}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_function_runs_our_bytes_on_both_layers_inside_the_network(control: Template, name: str) -> None:
    function = ours(control)[name]
    assert function["FunctionName"] == f"tapedeck-{name}"
    assert (function["Runtime"], function["Architectures"]) == ("python3.11", ["x86_64"])
    assert [control.text(layer) for layer in function["Layers"]] == ["<Layers/Dependencies>", "<Layers/Shared>"]
    assert function["VpcConfig"]["SecurityGroupIds"]
    assert function["TracingConfig"] == {"Mode": "Active"}


def test_every_queue_has_dead_letters_and_waits_six_times_its_functions_timeout(control: Template) -> None:
    queues = {p["QueueName"]: p for _, p in control.of("AWS::SQS::Queue")}
    paths = {
        control.text({"Fn::GetAtt": [i, "Arn"]}): r["Properties"]["QueueName"]
        for i, r in control.resources.items()
        if r["Type"] == "AWS::SQS::Queue"
    }
    timeouts = {
        control.path(i): r["Properties"].get("Timeout", 3)
        for i, r in control.resources.items()
        if r["Type"] == "AWS::Lambda::Function"
    }
    assert set(queues) == {f"tapedeck-{n}{end}" for n in CONSUMERS for end in ("", "-dead-letters")}
    mappings = control.of("AWS::Lambda::EventSourceMapping")
    assert len(mappings) == len(CONSUMERS)
    for _, mapping in mappings:
        name = paths[control.text(mapping["EventSourceArn"])]
        function = control.text(mapping["FunctionName"]).strip("<>")
        assert function == f"{CONSUMERS[name.removeprefix('tapedeck-')].capitalize()}/Function"
        assert queues[name]["VisibilityTimeout"] >= 6 * timeouts[function]
        redrive = queues[name]["RedrivePolicy"]
        assert paths[control.text(redrive["deadLetterTargetArn"])] == f"{name}-dead-letters"
        assert redrive["maxReceiveCount"] >= 5
        assert queues[f"{name}-dead-letters"]["MessageRetentionPeriod"] > queues[name]["MessageRetentionPeriod"]
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["ScalingConfig"]["MaximumConcurrency"] >= 2


def routes(control: Template, api: str) -> set[tuple[str, str, str, str]]:
    parts = {i: r["Properties"] for i, r in control.resources.items() if r["Type"] == "AWS::ApiGateway::Resource"}

    def path(resource: dict) -> str:  # type: ignore[type-arg]
        if "Fn::GetAtt" in resource:
            return ""
        own = parts[resource["Ref"]]
        return f"{path(own['ParentId'])}/{own['PathPart']}"

    found = set()
    for _, method in control.of("AWS::ApiGateway::Method"):
        if control.text(method["RestApiId"]) != f"<{api}>":
            continue
        target = control.text(method["Integration"]["Uri"]).partition("functions/<")[2].partition(".Arn>")[0]
        found.add((method["HttpMethod"], path(method["ResourceId"]), method["AuthorizationType"], target))
    return found


def test_the_public_routes_are_signed_and_all_of_the_api_function(control: Template) -> None:
    one = "/v1/backtest/{id}"
    expected = [
        ("POST", "/v1/backtest"), ("GET", "/v1/backtest"), ("GET", one), ("GET", f"{one}/logs"),
        ("GET", f"{one}/report"), ("GET", f"{one}/results"), ("POST", f"{one}/cancel"),
        ("GET", "/v1/datasets"), ("GET", "/v1/snapshots"), ("GET", "/v1/snapshots/{id}"),
        ("GET", "/v1/snapshots/{id}/universes/{name}"), ("POST", "/v1/snapshots/{id}/withdraw"),
        ("POST", "/v1/snapshots/{id}/name"),
    ]  # fmt: skip
    assert routes(control, "PublicApi/Api") == {(m, p, "AWS_IAM", "Api/Function") for m, p in expected}


def test_the_internal_route_is_reached_through_the_networks_endpoint_only(control: Template) -> None:
    assert routes(control, "InternalApi/Api") == {("GET", "/credentials", "NONE", "Credentials/Function")}
    api = dict(control.of("AWS::ApiGateway::RestApi"))["InternalApi/Api"]
    assert api["EndpointConfiguration"]["Types"] == ["PRIVATE"]
    (statement,) = api["Policy"]["Statement"]
    assert statement["Effect"] == "Allow"
    assert list(statement["Condition"]["StringEquals"]) == ["aws:SourceVpce"]


def test_what_runs_leave_in_their_bucket_reaches_its_queue(foundation: Template, control: Template) -> None:
    (notifying,) = [p for path, p in foundation.of("Custom::S3BucketNotifications")]
    assert foundation.text(notifying["BucketName"]) == "<Runs/Objects>"
    assert notifying["NotificationConfiguration"] == {"EventBridgeConfiguration": {}}
    rules = {path: p for path, p in control.of("AWS::Events::Rule") if "EventPattern" in p}
    found = {}
    for rule in rules.values():
        pattern, (target,) = rule["EventPattern"], rule["Targets"]
        assert (pattern["source"], pattern["detail-type"]) == (["aws.s3"], ["Object Created"])
        assert [control.text(n) for n in pattern["detail"]["bucket"]["name"]] == [
            "<Tapedeck-Foundation:ExportsOutputRefRunsObjects9CDF75DD79FE4A83>"
        ]
        found[pattern["detail"]["object"]["key"][0]["wildcard"]] = control.text(target["Arn"])
    assert found == {
        "runs/*/events/*.json": "<RunEvents/Queue.Arn>",
        "runs/*/result.json": "<RenderTasks/Queue.Arn>",
    }


def test_drops_notify_their_queue_natively_of_what_comes_in_only(control: Template) -> None:
    found = {}
    for _, p in control.of("Custom::S3BucketNotifications"):
        (rule,) = p["NotificationConfiguration"]["QueueConfigurations"]
        (name,) = rule["Filter"]["Key"]["FilterRules"]
        assert rule["Events"] == ["s3:ObjectCreated:*"]
        found[control.text(p["BucketName"])] = (control.text(rule["QueueArn"]), name["Name"], name["Value"])
    assert found == {
        "<UploadDrop/Bucket/Objects>": ("<Uploads/Queue.Arn>", "prefix", "incoming/"),
        "<VendorDrop/Bucket/Objects>": ("<VendorFiles/Queue.Arn>", "prefix", "incoming/"),
    }


def test_reconcile_runs_every_minute_and_migrations_once_a_deployment(control: Template) -> None:
    (rule,) = [p for _, p in control.of("AWS::Events::Rule") if "ScheduleExpression" in p]
    assert rule["ScheduleExpression"] == "rate(1 minute)"
    assert control.text(rule["Targets"][0]["Arn"]) == "<Reconcile/Function.Arn>"
    (trigger,) = [p for _, p in control.of("Custom::Trigger")]
    assert control.text(trigger["HandlerArn"]).startswith("<Migrate/Function/CurrentVersion")


def test_the_outputs_are_what_a_caller_starts_from(foundation: Template, control: Template) -> None:
    outputs = {**foundation.body["Outputs"], **control.body["Outputs"]}
    names = {"ApiUrl", "ResearcherRole", "DataOwnerRole", "OperatorRole"}
    assert names | {f"{b}Bucket" for b in ("Market", "Runs", "Upload", "Vendor")} <= set(outputs)
    assert control.text(outputs["ApiUrl"]["Value"]).endswith("/live")
