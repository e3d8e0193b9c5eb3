"""Who calls, and what they may do: principals, roles, temporary credentials, and the evaluation of their policies.

An action is allowed when the principal's own policies allow it, its session policy (if it has one) allows it too, and
neither denies it. The root of the account is asked nothing; only the deployer of the local stack uses it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from infra.local.policies import Context, Document, Statement, Value, judge, statements

SILENT = "no identity policy allows it"
_ACCESS_KEY = re.compile(r"[A-Z0-9]{16,128}")


@dataclass(frozen=True)
class Decision:
    """What the policies say of one call, and why."""

    allowed: bool
    reason: str


@dataclass(frozen=True, eq=False)
class Principal:
    """One set of credentials and what stands behind it; `expires` in seconds since 1970."""

    arn: str
    user_id: str
    account: str
    access_key: str
    secret_key: str
    token: str | None = None
    policies: tuple[Document, ...] = ()
    session_policy: Document | None = None
    role_arn: str | None = None
    expires: float | None = None
    root: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def rules(self) -> tuple[Statement, ...]:
        """The statements of the identity's own policies."""
        return tuple(s for document in self.policies for s in statements(document))

    @cached_property
    def session_rules(self) -> tuple[Statement, ...] | None:
        """The statements that narrow this session; None when nothing does."""
        return None if self.session_policy is None else statements(self.session_policy)

    @cached_property
    def context(self) -> dict[str, str]:
        """The condition keys that the principal itself answers, in lower case."""
        kind = "Account" if self.root else "AssumedRole" if self.role_arn else "User"
        known = {
            "aws:userid": self.user_id,
            "aws:principalarn": self.role_arn or self.arn,
            "aws:principalaccount": self.account,
            "aws:principaltype": kind,
            **{f"aws:principaltag/{name.lower()}": value for name, value in self.tags.items()},
        }
        return known | ({"aws:username": self.arn.rpartition("/")[2]} if kind == "User" else {})


@dataclass(frozen=True)
class Role:
    """A role of the template: its trust policy says who may assume it, for `max_duration` seconds at most."""

    arn: str
    trust: Document
    policies: tuple[Document, ...] = ()
    max_duration: int = 3600
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The account that the role lives in."""
        return self.arn.split(":")[4]

    @property
    def name(self) -> str:
        """The role's name, without its path."""
        return self.arn.rpartition("/")[2]

    @property
    def role_id(self) -> str:
        """The unique id (AROA...); derived from the ARN, so that a restarted stack knows its users again."""
        return unique_id("AROA", self.arn)


def unique_id(prefix: str, arn: str) -> str:
    """Return a 21-character unique id as IAM gives them, the same for the same ARN."""
    return prefix + base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()[:17]


def user(account: str, name: str, policies: tuple[Document, ...] = ()) -> Principal:
    """Make an IAM user with new long-term credentials."""
    arn = f"arn:aws:iam::{account}:user/{name}"
    return Principal(arn, unique_id("AIDA", arn), account, _key("AKIA"), secrets.token_urlsafe(30), None, policies)


def root(account: str) -> Principal:
    """Make credentials of the account's root: the deployer of the local stack, past every policy."""
    key, secret = _key("AKIA"), secrets.token_urlsafe(30)
    return Principal(f"arn:aws:iam::{account}:root", account, account, key, secret, root=True)


def evaluate(principal: Principal, action: str, resource: str, context: Mapping[str, Value] | None = None) -> Decision:
    """Decide on one call; `context` holds the request's condition keys in any case."""
    if principal.root:
        return Decision(True, "root of the account")
    known = request_context(principal, context or {})
    own = judge(principal.rules, action, resource, known)
    if own.denied:
        return Decision(False, f"explicitly denied by an identity policy {own.sid}".rstrip())
    if not own.allowed:
        return Decision(False, SILENT)
    if principal.session_rules is not None:
        session = judge(principal.session_rules, action, resource, known)
        if session.denied or not session.allowed:
            return Decision(False, "the session policy does not allow it")
    return Decision(True, f"allowed by an identity policy {own.sid}".rstrip())


def request_context(principal: Principal, context: Mapping[str, Value]) -> Context:
    """Return the condition keys of one request: the clock's, the request's, and the principal's over both."""
    now = datetime.now(UTC)
    clock = {"aws:currenttime": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "aws:epochtime": str(int(now.timestamp()))}
    return {**clock, **{key.lower(): value for key, value in context.items()}, **principal.context}


class Identities:
    """The registry. With a folder, every process of the stack that is given the same one knows the same identities."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._principals: dict[str, Principal] = {}
        self._roles: dict[str, Role] = {}
        self._lock = threading.Lock()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def add(self, principal: Principal) -> None:
        """Register credentials; a policy that the evaluation does not know raises here, not at the first call."""
        _ = principal.rules, principal.session_rules
        with self._lock:
            self._principals[principal.access_key] = principal
        self._write(principal.access_key, asdict(principal))

    def add_role(self, role: Role) -> None:
        """Register a role; raises UnknownPolicyElementError when one of its documents cannot be evaluated."""
        statements(role.trust, trust=True)
        for document in role.policies:
            statements(document)
        with self._lock:
            self._roles[role.arn] = role
        self._write(role.role_id, asdict(role))

    def by_access_key(self, key: str) -> Principal | None:
        """Return the principal behind an access key id, or None."""
        with self._lock:
            known = self._principals.get(key)
        if known is None and (raw := self._read(key)):
            known = Principal(**{**raw, "policies": tuple(raw["policies"])})
            with self._lock:
                known = self._principals.setdefault(key, known)
        return known

    def role(self, arn: str) -> Role | None:
        """Return a registered role, or None."""
        raw = self._read(unique_id("AROA", arn))
        if raw:
            return Role(**{**raw, "policies": tuple(raw["policies"])})
        with self._lock:
            return self._roles.get(arn)

    def assume(
        self,
        role_arn: str,
        session_name: str,
        policy: Document | None = None,
        duration: int = 3600,
        tags: Mapping[str, str] | None = None,
    ) -> Principal:
        """Make temporary credentials of `duration` seconds; trust is the caller's to check (see `trust`).

        Raises KeyError for an unknown role.
        """
        role = self.role(role_arn)
        if role is None:
            raise KeyError(role_arn)
        session = Principal(
            arn=f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{session_name}",
            user_id=f"{role.role_id}:{session_name}",
            account=role.account,
            access_key=_key("ASIA"),
            secret_key=secrets.token_urlsafe(30),
            token=base64.b64encode(secrets.token_bytes(96)).decode(),
            policies=role.policies,
            session_policy=policy,
            role_arn=role.arn,
            expires=time.time() + duration,
            tags={**role.tags, **(tags or {})},
        )
        self.add(session)
        return session

    def _write(self, name: str, content: dict[str, Any]) -> None:
        if self._folder is None:
            return
        temporary = self._folder / f".{name}.{secrets.token_hex(4)}"
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(content, file)
        temporary.replace(self._folder / f"{name}.json")

    def _read(self, name: str) -> dict[str, Any] | None:
        if self._folder is None or not _ACCESS_KEY.fullmatch(name):
            return None
        try:
            raw: dict[str, Any] = json.loads((self._folder / f"{name}.json").read_text())
        except FileNotFoundError:
            return None
        return raw


def _key(prefix: str) -> str:
    return prefix + base64.b32encode(secrets.token_bytes(10)).decode()
