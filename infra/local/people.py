"""The people of the local stack: IAM users, each of whom may assume one of the template's roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from infra.local import iam
from infra.local.deploy import ACCOUNT, DeployError
from infra.local.wires import Role

ROLES = {"alice": "Researcher", "bob": "Researcher", "dana": "DataOwner", "otto": "Operator"}
"""Who is what; a role is named by the last construct of its path."""


@dataclass(frozen=True)
class Login:
    """Temporary credentials of one person."""

    access_key: str
    secret_key: str
    token: str


class People:
    """Registers the users and takes sessions for them, from the local STS, under the role's own trust policy."""

    def __init__(self, roles: Mapping[str, Role], identities: iam.Identities, *, endpoint: str, region: str) -> None:
        self._endpoint, self._region = endpoint, region
        self._roles = {name: _role(roles, construct) for name, construct in ROLES.items()}
        self._users: dict[str, iam.Principal] = {}
        for name, role in self._roles.items():
            if role is not None:
                assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role.arn}
                self._users[name] = iam.user(ACCOUNT, name, ({"Version": "2012-10-17", "Statement": [assume]},))
                identities.add(self._users[name])

    def login(self, person: str) -> Login:
        """Return new credentials, valid as long as the role allows; raises DeployError for whom the stack lacks."""
        role = self._roles.get(person)
        if role is None:
            raise DeployError(f"no {person} in this stack: it has {', '.join(sorted(self._users)) or 'nobody'}")
        user = self._users[person]
        sts: Any = boto3.client(
            "sts",
            endpoint_url=self._endpoint,
            region_name=self._region,
            aws_access_key_id=user.access_key,
            aws_secret_access_key=user.secret_key,
        )
        given = sts.assume_role(RoleArn=role.arn, RoleSessionName=person, DurationSeconds=role.max_duration_s)
        credentials = given["Credentials"]
        return Login(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])


def _role(roles: Mapping[str, Role], construct: str) -> Role | None:
    found = [role for role in roles.values() if role.path.removesuffix("/Resource").endswith(f"/{construct}")]
    return found[0] if len(found) == 1 else None
