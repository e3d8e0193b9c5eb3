"""A front door before a real moto, served by waitress on a port of the system's choice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.moto_api._internal import moto_api_backend
from moto.server import DomainDispatcherApplication, create_backend_app

from infra.local.front_door import Call, FrontDoor
from infra.local.iam import Identities, Principal, Role, root
from infra.local.object_events import ObjectEvent
from infra.local.serving import serving

ACCOUNT = "123456789012"
REGION = "us-east-1"
OBJECTS = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **s} for s in statements]}


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Action": action, "Resource": resource, **more}


@dataclass
class LocalAws:
    """The running door: its identities, what it recorded, what it emitted."""

    identities: Identities = field(default_factory=Identities)
    calls: list[Call] = field(default_factory=list)
    events: list[ObjectEvent] = field(default_factory=list)
    admin: Principal = field(default_factory=lambda: root(ACCOUNT))
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str, who: Principal | None = None, **config: Any) -> Any:
        who = who or self.admin
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=who.access_key,
            aws_secret_access_key=who.secret_key,
            aws_session_token=who.token,
            config=Config(retries={"total_max_attempts": 1}, **config),
        )

    def session(
        self, *statements: dict[str, Any], name: str = "alice", role: str = "Researcher", **more: Any
    ) -> Principal:
        """A session of a role that has these statements for its policy."""
        arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
        trust = policy({"Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
        self.identities.add_role(Role(arn, trust, (policy(*statements),)))
        return self.identities.assume(arn, name)


@contextmanager
def local_aws() -> Iterator[LocalAws]:
    moto_api_backend.reset()
    aws = LocalAws()
    aws.identities.add(aws.admin)
    door = FrontDoor(
        DomainDispatcherApplication(create_backend_app), aws.identities, aws.calls.append, aws.events.append
    )
    with serving(door, threads=8) as aws.port:
        yield aws


def code(call: Any, *args: Any, **options: Any) -> tuple[int, str]:
    """Return the status and the code that a call is refused with."""
    with pytest.raises(ClientError) as refused:
        call(*args, **options)
    answer = refused.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]
