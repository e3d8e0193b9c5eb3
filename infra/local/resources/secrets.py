"""Secrets Manager secrets (generated ones too), their attachment to a database, SSM parameters."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Mapping
from typing import Any

from infra.local.assembly import Resource
from infra.local.deploy import Created, Creator, DeployError, Deployment


def secret(deployment: Deployment, resource: Resource) -> Created:
    """Create a secret with the text that the template gives or asks to generate."""
    properties = deployment.properties(resource, "Name", "SecretString", "GenerateSecretString")
    generate = properties.get("GenerateSecretString", {})
    text = properties.get("SecretString") or _generated(generate)
    name = properties.get("Name", deployment.name(resource))
    arn = str(deployment.client("secretsmanager").create_secret(Name=name, SecretString=text)["ARN"])
    deployment.secrets[arn] = text
    return Created(arn, {"Id": arn})


def attachment(deployment: Deployment, resource: Resource) -> Created:
    """Add to a secret where its database is found, as Secrets Manager does."""
    properties = deployment.properties(resource)
    arn, target = properties["SecretId"], properties["TargetType"]
    if target != "AWS::RDS::DBInstance":
        raise DeployError(f"{resource} attaches to {target}, which the local stack does not know")
    text = json.dumps(
        {
            **deployment.secret(arn),
            "engine": "postgres",
            "host": deployment.machine.postgres_host,
            "port": deployment.machine.postgres_port,
            "dbInstanceIdentifier": properties["TargetId"],
            "dbname": deployment.databases[properties["TargetId"]],
        }
    )
    deployment.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=text)
    deployment.secrets[arn] = text
    return Created(arn)


def parameter(deployment: Deployment, resource: Resource) -> Created:
    """Create an SSM parameter."""
    properties = deployment.properties(resource, "Name", "Type", "Value")
    name = properties.get("Name", deployment.name(resource))
    kind, value = properties["Type"], str(properties["Value"])
    deployment.client("ssm").put_parameter(Name=name, Type=kind, Value=value)
    return Created(name, {"Type": kind, "Value": value})


def _generated(rules: Mapping[str, Any]) -> str:
    """Return a random password, inside of the rules' JSON template when they have one."""
    alphabet = string.ascii_letters + string.digits
    if not rules.get("ExcludePunctuation"):
        alphabet += string.punctuation
    alphabet = "".join(c for c in alphabet if c not in rules.get("ExcludeCharacters", ""))
    password = "".join(secrets.choice(alphabet) for _ in range(int(rules.get("PasswordLength", 32))))
    if "GenerateStringKey" not in rules:
        return password
    return json.dumps({**json.loads(rules["SecretStringTemplate"]), rules["GenerateStringKey"]: password})


CREATORS: dict[str, Creator] = {
    "AWS::SSM::Parameter": parameter,
    "AWS::SecretsManager::Secret": secret,
    "AWS::SecretsManager::SecretTargetAttachment": attachment,
}
