"""The interpreter of templates, against moto inside of this process."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.local.assembly import Assembly, AssemblyError
from infra.local.deploy import DeployError, Deployment, Machine
from infra.local.resources import CREATORS

TRUST = {
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]
}
ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}
FUNCTION = {
    "Type": "AWS::Lambda::Function",
    "Properties": {
        "Code": {"S3Bucket": "assets", "S3Key": "code.zip"},
        "Handler": "handler.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Runtime": "python3.11",
        "Environment": {"Variables": {"QUEUE": {"Ref": "Queue"}}},
    },
}


def write(root: Path, stacks: dict[str, dict[str, Any]], outputs: dict[str, Any] | None = None) -> Assembly:
    """Write an assembly of `stacks` (name: resources); a stack depends on those before it."""
    artifacts: dict[str, Any] = {}
    for name, resources in reversed(stacks.items()):
        template = {"Resources": resources, "Outputs": (outputs or {}).get(name, {})}
        (root / f"{name}.json").write_text(json.dumps(template))
        before = list(stacks)[: list(stacks).index(name)]
        metadata = {f"/{name}/{x}/Resource": [{"type": "aws:cdk:logicalId", "data": x}] for x in resources}
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "environment": "aws://unknown-account/us-east-1",
            "properties": {"templateFile": f"{name}.json"},
            "dependencies": [*before, "assets"],
            "metadata": metadata,
        }
    artifacts["assets"] = {"type": "cdk:asset-manifest", "properties": {"file": "assets.json"}}
    (root / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    assets = {
        "files": {"code": {"source": {"path": "asset.code"}, "destinations": {"d": {"objectKey": "code.zip"}}}},
        "dockerImages": {
            "img": {
                "source": {"directory": "asset.img", "dockerBuildTarget": "sidecar"},
                "destinations": {"d": {"repositoryName": "r", "imageTag": "img"}},
            }
        },
    }
    (root / "assets.json").write_text(json.dumps(assets))
    return Assembly.read(root)


@pytest.fixture
def deploy() -> Iterator[Callable[[Assembly], Deployment]]:
    def run(assembly: Assembly) -> Deployment:
        address = "https://127.0.0.1:1"
        machine = Machine(address, "Q0E=", address, "127.0.0.1", 5999, lambda user, password, database: None)
        deployment = Deployment(assembly, machine, session.client, CREATORS)
        deployment.run()
        return deployment

    with mock_aws():
        session = boto3.Session("key", "secret", region_name="us-east-1")
        yield run


def test_a_function_its_queue_and_their_mapping_are_wired_across_stacks(
    tmp_path: Path, deploy: Callable[[Assembly], Deployment]
) -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 60}}
    exported = {"Q": {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}, "Export": {"Name": "First:Q"}}}
    mapping = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "FunctionName": {"Ref": "Function"},
            "EventSourceArn": {"Fn::ImportValue": "First:Q"},
            "BatchSize": 3,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        },
    }
    function = json.loads(json.dumps(FUNCTION).replace('{"Ref": "Queue"}', '{"Fn::ImportValue": "First:Q"}'))
    assembly = write(
        tmp_path,
        {"First": {"Queue": queue}, "Second": {"Mapping": mapping, "Function": function, "Role": ROLE}},
        {"First": exported},
    )
    wires = deploy(assembly).wires
    arn = "arn:aws:sqs:us-east-1:123456789012:First-Queue"
    (found,) = wires.mappings
    assert (found.function, found.queue_arn, found.batch_size, found.report_failures) == (
        "Second-Function",
        arn,
        3,
        True,
    )
    assert wires.functions["Second-Function"].environment == {"QUEUE": arn}
    assert wires.functions["Second-Function"].task_root == tmp_path / "asset.code"
    assert [stack.name for stack in assembly.stacks] == ["First", "Second"]


def test_an_unknown_type_stops_the_start_with_its_name_before_anything_is_made(
    tmp_path: Path, deploy: Callable[[Assembly], Deployment]
) -> None:
    assembly = write(tmp_path, {"S": {"B": {"Type": "AWS::S3::Bucket"}, "Fresh": {"Type": "AWS::DynamoDB::Table"}}})
    with pytest.raises(DeployError, match="AWS::DynamoDB::Table S/Fresh/Resource"):
        deploy(assembly)
    assert boto3.client("s3", region_name="us-east-1").list_buckets()["Buckets"] == []


def test_a_queue_redrives_to_its_dead_letter_queue(tmp_path: Path, deploy: Callable[[Assembly], Deployment]) -> None:
    redrive = {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3}
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"RedrivePolicy": redrive, "DelaySeconds": 1}}
    made = deploy(write(tmp_path, {"S": {"Queue": queue, "Dead": {"Type": "AWS::SQS::Queue"}}}))
    url = made.wires.queues["arn:aws:sqs:us-east-1:123456789012:S-Queue"]
    got = made.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert json.loads(got["RedrivePolicy"])["deadLetterTargetArn"].endswith(":S-Dead")
    assert got["DelaySeconds"] == "1"


def test_a_database_starts_with_the_generated_password_and_its_secret_says_where(
    tmp_path: Path, deploy: Callable[[Assembly], Deployment]
) -> None:
    password = {"Fn::Join": ["", ["{{resolve:secretsmanager:", {"Ref": "Secret"}, ":SecretString:password::}}"]]}
    generate = {"SecretStringTemplate": '{"username":"owner"}', "GenerateStringKey": "password", "PasswordLength": 20}
    resources = {
        "Attached": {
            "Type": "AWS::SecretsManager::SecretTargetAttachment",
            "Properties": {
                "SecretId": {"Ref": "Secret"},
                "TargetId": {"Ref": "Db"},
                "TargetType": "AWS::RDS::DBInstance",
            },
        },
        "Db": {
            "Type": "AWS::RDS::DBInstance",
            "Properties": {
                "Engine": "postgres",
                "DBName": "tapedeck",
                "MasterUsername": "owner",
                "MasterUserPassword": password,
            },
        },
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"GenerateSecretString": generate}},
    }
    made = deploy(write(tmp_path, {"S": resources}))
    ((arn, _),) = made.secrets.items()
    value = json.loads(made.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
    assert (value["host"], value["port"], value["dbname"], value["username"]) == (
        "127.0.0.1",
        5999,
        "tapedeck",
        "owner",
    )
    assert len(value["password"]) == 20


def test_a_policy_reaches_its_role_resolved(tmp_path: Path, deploy: Callable[[Assembly], Deployment]) -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": {"Fn::Sub": "${Bucket.Arn}/*"}}
    policy = {"Roles": [{"Ref": "Role"}], "PolicyName": "p", "PolicyDocument": {"Statement": [statement]}}
    resources = {
        "Policy": {"Type": "AWS::IAM::Policy", "Properties": policy},
        "Role": ROLE,
        "Bucket": {"Type": "AWS::S3::Bucket"},
    }
    (role,) = deploy(write(tmp_path, {"S": resources})).wires.roles.values()
    assert role.policies[0]["Statement"][0]["Resource"] == "arn:aws:s3:::s-bucket/*"


def test_a_rest_api_gives_its_routes(tmp_path: Path, deploy: Callable[[Assembly], Deployment]) -> None:
    api = {"RestApiId": {"Ref": "Api"}}
    uri = {"Fn::Join": ["", ["arn:aws:apigateway:x:functions/", {"Fn::GetAtt": ["Function", "Arn"]}, "/invocations"]]}
    root = {"Fn::GetAtt": ["Api", "RootResourceId"]}
    method = {"HttpMethod": "GET", "ResourceId": {"Ref": "Id"}, "Integration": {"Type": "AWS_PROXY", "Uri": uri}}
    resources = {
        "Get": {"Type": "AWS::ApiGateway::Method", "Properties": {**api, **method, "AuthorizationType": "AWS_IAM"}},
        "Id": {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {**api, "ParentId": {"Ref": "V1"}, "PathPart": "{id}"},
        },
        "V1": {"Type": "AWS::ApiGateway::Resource", "Properties": {**api, "ParentId": root, "PathPart": "v1"}},
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "tapedeck"}},
        "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": {**api, "StageName": "v"}},
        "Function": FUNCTION,
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Role": ROLE,
    }
    (made,) = deploy(write(tmp_path, {"S": resources})).wires.apis.values()
    (route,) = made.methods
    assert (made.name, made.stage) == ("tapedeck", "v")
    assert (route.http_method, route.path, route.authorization, route.function) == (
        "GET", "/v1/{id}", "AWS_IAM", "S-Function",
    )  # fmt: skip


def test_a_circle_of_resources_is_named(tmp_path: Path, deploy: Callable[[Assembly], Deployment]) -> None:
    one = {"Type": "AWS::SQS::Queue", "DependsOn": "Two"}
    two = {"Type": "AWS::SQS::Queue", "DependsOn": ["One"]}
    with pytest.raises(DeployError, match="S/One/Resource -> S/Two/Resource -> S/One/Resource"):
        deploy(write(tmp_path, {"S": {"One": one, "Two": two}}))


def test_an_image_uri_leads_to_its_build_context(tmp_path: Path) -> None:
    image = write(tmp_path, {"S": {}}).image("1.dkr.ecr.us-east-1.amazonaws.com/repository:img")
    assert (image.directory, image.target) == (tmp_path / "asset.img", "sidecar")


def test_a_folder_without_an_assembly_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(AssemblyError, match="make synth"):
        Assembly.read(tmp_path)
