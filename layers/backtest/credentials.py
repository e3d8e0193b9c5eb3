"""Credentials: a sidecar's token becomes one hour of AWS credentials for its own attempt, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jwt
from botocore.exceptions import BotoCoreError, ClientError

import run_objects
from backtest import layout
from backtest.errors import CallerError, PlatformError
from backtest.job import TERMINAL
from backtest.manifest import SERVICE_ACCOUNT, TOKEN_AUDIENCE
from backtest.store import Store
from backtest.store.rows import Job

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

SESSION_SECONDS = 3600  # the SDK asks again before they end
Keys = dict[str, Any]  # a JWKS


@dataclass
class KeyRing:
    """The cluster's public keys, kept; an unknown key id asks for them once more."""

    fetch: Callable[[], Keys]
    _keys: dict[str, jwt.PyJWK] = field(default_factory=dict)

    def key(self, key_id: str) -> jwt.PyJWK:
        """Return the key of that id; raises `CallerError` 401 when the cluster has none such."""
        if key_id not in self._keys:
            self._keys = {k.key_id: k for k in jwt.PyJWKSet.from_dict(self.fetch()).keys if k.key_id}
        try:
            return self._keys[key_id]
        except KeyError:
            raise _refused("signed by an unknown key") from None


@dataclass(frozen=True)
class Issuer:
    """What issuing needs; `role_arn` is the widest that a session may be."""

    store: Store
    keys: KeyRing
    sts: STSClient
    role_arn: str
    namespace: str
    runs_bucket: str
    market_bucket: str

    def issue(self, token: str) -> dict[str, str]:
        """Return credentials in the form of the SDKs' container provider; raises `CallerError` or `PlatformError`."""
        here = self._attempt(token)
        job = self.store.jobs.get(here.job)
        if job is None or job.attempt != here.attempt or job.status in TERMINAL:
            raise CallerError(403, "NOT_CURRENT", "the token's pod is not the current attempt of a job that runs")
        try:
            answer = self.sts.assume_role(
                RoleArn=self.role_arn,
                RoleSessionName=layout.job_name(job.id, job.attempt),
                DurationSeconds=SESSION_SECONDS,
                Policy=json.dumps(session_policy(job, self.runs_bucket, self.market_bucket), separators=(",", ":")),
            )["Credentials"]
        except (BotoCoreError, ClientError) as e:
            raise PlatformError(f"no credentials for {job.id}: {e}") from e
        return {
            "AccessKeyId": answer["AccessKeyId"],
            "SecretAccessKey": answer["SecretAccessKey"],
            "Token": answer["SessionToken"],
            "Expiration": answer["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _attempt(self, token: str) -> layout.AttemptKey:
        """Return the attempt whose pod holds `token`; raises `CallerError` 401 for a token that proves nothing."""
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(
                token,
                self.keys.key(str(header.get("kid"))),
                algorithms=["RS256"],
                audience=TOKEN_AUDIENCE,
                options={"require": ["exp", "aud", "sub"]},
            )
        except jwt.PyJWTError as e:
            raise _refused(str(e)) from e
        bound = claims.get("kubernetes.io") or {}
        pod = layout.parse_pod(str((bound.get("pod") or {}).get("name")))
        who = f"system:serviceaccount:{self.namespace}:{SERVICE_ACCOUNT}"
        if claims["sub"] != who or bound.get("namespace") != self.namespace or pod is None:
            raise _refused("of a pod that runs no attempt")
        return pod


def session_policy(job: Job, runs: str, market: str) -> dict[str, Any]:
    """Return what a session of the current attempt may do: read prices and its own code, write its own prefix."""
    prices, ours = f"arn:aws:s3:::{market}", f"arn:aws:s3:::{runs}"
    own = layout.attempt_prefix(job.id, job.attempt)
    code, run = layout.code(job.code_digest, "*"), run_objects.run_manifest(job.id)
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow(["s3:GetObject", "s3:GetObjectVersion"], f"{prices}/*"),
            _allow(["s3:ListBucket"], prices),
            _allow(["s3:GetObject"], f"{ours}/{run}", f"{ours}/{code}"),
            _allow(["s3:GetObject", "s3:PutObject"], f"{ours}/{own}*"),
            _allow(["s3:ListBucket"], ours) | {"Condition": {"StringLike": {"s3:prefix": f"{own}*"}}},
            _allow(["kms:Decrypt", "kms:GenerateDataKey"], "*")
            | {"Condition": {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}}},
        ],
    }


def _allow(actions: list[str], *resources: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources)}


def _refused(why: str) -> CallerError:
    return CallerError(401, "BAD_TOKEN", f"the token is refused: {why}")
