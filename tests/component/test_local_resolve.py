from typing import Any

import pytest

from infra.local.resolve import ResolveError, Resolver


class Surroundings:
    def pseudo(self, stack: str) -> dict[str, str]:
        return {"AWS::Region": "us-east-1", "AWS::AccountId": "123456789012", "AWS::StackName": stack}

    def ref(self, stack: str, logical_id: str) -> str:
        return f"{stack}/{logical_id}"

    def attribute(self, stack: str, logical_id: str, name: str) -> Any:
        return f"{stack}/{logical_id}.{name}"

    def export(self, name: str) -> str:
        return f"exported {name}"

    def output(self, stack: str, name: str) -> str:
        return f"{stack}:{name}"

    def condition(self, stack: str, name: str) -> Any:
        return {"Fn::Equals": [{"Ref": "AWS::Region"}, name]}

    def dynamic(self, service: str, reference: str) -> str:
        return f"<{service} {reference}>"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Queue"}, "S/Queue"),
        ({"Fn::GetAtt": ["Db", "Endpoint.Port"]}, "S/Db.Endpoint.Port"),
        ({"Fn::GetAtt": "Db.Endpoint.Port"}, "S/Db.Endpoint.Port"),
        ({"Fn::Join": ["-", ["a", {"Ref": "B"}, 3]]}, "a-S/B-3"),
        ({"Fn::Sub": "${AWS::AccountId}.dkr.${Db.Arn}:${!kept}"}, "123456789012.dkr.S/Db.Arn:${kept}"),
        ({"Fn::Sub": ["${x}-${Y}", {"x": {"Ref": "Z"}}]}, "S/Z-S/Y"),
        ({"Fn::Select": [1, {"Fn::Split": ["/", {"Ref": "Q"}]}]}, "Q"),
        ({"Fn::Base64": "hi"}, "aGk="),
        ({"Fn::GetAZs": ""}, ["us-east-1a", "us-east-1b", "us-east-1c"]),
        ({"Fn::ImportValue": {"Fn::Sub": "${AWS::StackName}:x"}}, "exported S:x"),
        ({"Fn::GetStackOutput": {"StackName": "Other", "OutputName": "Out"}}, "Other:Out"),
        ({"Fn::If": ["us-east-1", "here", "there"]}, "here"),
        ({"Fn::If": ["eu-west-1", "here", "there"]}, "there"),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [1, {"Ref": "AWS::NoValue"}]}, {"b": [1]}),
        ("{{resolve:secretsmanager:arn:x:SecretString:password::}}", "<secretsmanager arn:x:SecretString:password::>"),
        ({"Condition": {"StringEquals": {"a": "b"}}}, {"Condition": {"StringEquals": {"a": "b"}}}),
        (True, True),
    ],
)
def test_an_intrinsic_resolves_to_its_value(value: Any, expected: Any) -> None:
    assert Resolver(Surroundings()).resolve(value, "S", "here") == expected


def test_an_unknown_intrinsic_is_refused_with_its_name_and_place() -> None:
    with pytest.raises(ResolveError, match=r"Fn::Cidr at the bucket\.Tags\[0\]\.Value"):
        Resolver(Surroundings()).resolve({"Tags": [{"Value": {"Fn::Cidr": []}}]}, "S", "the bucket")


def test_an_unknown_pseudo_parameter_is_refused_with_its_name() -> None:
    with pytest.raises(ResolveError, match="AWS::NotificationARNs at here"):
        Resolver(Surroundings()).resolve({"Ref": "AWS::NotificationARNs"}, "S", "here")
