"""The handle on the local AWS process: starts it, gives clients, tells it the routes, reads what it recorded."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from infra.local import iam, record, trust
from infra.local.child import Child
from infra.local.deploy import ACCOUNT, DeployError
from infra.local.front_door import Call
from infra.local.ports import HOST
from infra.local.wires import Function, Role, Wires

_START_LIMIT_S = 60.0
_SESSION_S = 30 * 24 * 3600
"""How long a function's credentials are good for: on AWS they are renewed beneath it, here they outlive the stack."""


class Cloud:
    """One local AWS; begins to start at once, `ready` waits for it."""

    def __init__(self, state: Path, logs: Path, environment: dict[str, str], *, port: int, region: str) -> None:
        self.region = region
        self.endpoint = f"http://{HOST}:{port}"
        self.identities = iam.Identities(state / "identities")
        self._root = iam.root(ACCOUNT)
        self.identities.add(self._root)
        self._calls = state / "calls.jsonl"
        self.record = record.Record(self._calls)
        temporary = state / "tmp"
        temporary.mkdir()
        configuration = state / "aws.json"
        configuration.write_text(
            json.dumps(
                {
                    "port": port,
                    "region": region,
                    "account": ACCOUNT,
                    "identities": str(state / "identities"),
                    "calls": str(self._calls),
                }
            )
        )
        clean = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
        self._child = Child(
            "the local AWS",
            [sys.executable, "-m", "infra.local.aws", str(configuration)],
            logs / "aws.log",
            {**clean, "TMPDIR": str(temporary)},
        )
        self._session = boto3.Session(region_name=region)

    def ready(self) -> None:
        """Wait until it answers; raises StartError."""
        self._child.answer(_START_LIMIT_S)

    def client(self, service: str, principal: iam.Principal | None = None) -> Any:
        """Return a client that acts as `principal`, or as the account's root; its errors are not retried."""
        who = principal or self._root
        return self._session.client(  # type: ignore[call-overload]  # the stubs know services by literal names only
            service,
            endpoint_url=self.endpoint,
            aws_access_key_id=who.access_key,
            aws_secret_access_key=who.secret_key,
            aws_session_token=who.token,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def deployer(self) -> Callable[[str], Any]:
        """Return what gives the root's clients, each service's made once."""
        return cache(self.client)

    def register(self, roles: dict[str, Role]) -> None:
        """Let the front door know the roles of the template; a policy that cannot be evaluated raises."""
        for role in roles.values():
            policies = tuple(dict(policy) for policy in role.policies)
            self.identities.add_role(iam.Role(role.arn, dict(role.trust), policies, role.max_duration_s))

    def function_session(self, function: Function) -> iam.Principal:
        """Return a session of a function's role, which must trust Lambda; raises DeployError."""
        return self._service_session("lambda.amazonaws.com", function.role_arn, function.name)

    def pod_session(self, role_arn: str, service_account: str) -> iam.Principal:
        """Return a session of the role of a service account's pods, which must trust EKS; raises DeployError."""
        return self._service_session("pods.eks.amazonaws.com", role_arn, service_account)

    def _service_session(self, service: str, role_arn: str, name: str) -> iam.Principal:
        role = self.identities.role(role_arn)
        if role is None or not trust.service_may_assume(role, service).allowed:
            raise DeployError(f"{name}: its role {role_arn} does not trust {service}")
        return self.identities.assume(role_arn, name, None, _SESSION_S)

    def route(self, wires: Wires) -> None:
        """Send S3 events from now on where the template's rules and notifications say."""
        question = {
            "notifications": [asdict(notification) for notification in wires.notifications],
            "rules": [asdict(rule) for rule in wires.rules],
        }
        self._child.ask(question, _START_LIMIT_S)

    def calls(self) -> list[Call]:
        """Return each kind of call that anybody made so far."""
        return record.read(self._calls)

    def stop(self) -> None:
        """End the process."""
        self._child.stop()
        self.record.close()
