"""Signature version 4 from the other side: who signed this request, and is it the very request that was signed?

The signature is recomputed with botocore's own signer over the raw path and query. What is refused, and why, is told by
`Fault`; each service says it in its own words (see `refusals`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from http.client import HTTPMessage
from typing import Any

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.local.iam import Principal
from infra.local.inbound import Inbound

SKEW = 300  # seconds that a client's clock may be wrong
UNSIGNED_BODY = "UNSIGNED-PAYLOAD"
CHUNKED_BODY = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<credential>[^\s,]+),\s*SignedHeaders=(?P<signed>[^\s,]+),\s*"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_SCOPE = re.compile(
    r"(?P<key>[A-Z0-9]{16,128})/(?P<day>[0-9]{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9.-]+)/aws4_request"
)
_HASH = re.compile(r"[0-9a-f]{64}")


class Fault(Enum):
    """Why a request is refused before anything is done."""

    MISSING = "missing authentication"
    MALFORMED = "malformed authentication"
    UNKNOWN_KEY = "unknown access key"
    SIGNATURE = "signature does not match"
    SKEWED = "the request's time is too far from ours"
    EXPIRED = "the presigned request has expired"
    BAD_TOKEN = "security token does not belong to the key"
    EXPIRED_TOKEN = "security token has expired"
    DENIED = "access denied"
    INVALID = "the request makes no sense"
    NOT_IMPLEMENTED = "not implemented"


class RefusedError(Exception):
    """A request that goes no further. `service` is what it was signed for, where that much could be read."""

    def __init__(self, fault: Fault, message: str, service: str = "") -> None:
        super().__init__(message)
        self.fault, self.message, self.service = fault, message, service


@dataclass(frozen=True)
class Claim:
    """What a request says of its signature; `stamp` is its time as 20240131T235959Z, `expires` in seconds."""

    key: str
    day: str
    region: str
    service: str
    signed: tuple[str, ...]
    signature: str
    stamp: str
    token: str | None
    expires: int | None = None


@dataclass(frozen=True)
class Signed:
    """A verified request: who signed it, and for which service and region."""

    principal: Principal
    service: str
    region: str
    claim: Claim


class _Recompute(SigV4Auth):
    """botocore's signer, over exactly the headers that the client signed and with a body hash known before."""

    def __init__(self, claim: Claim, secret: str, payload: str) -> None:
        super().__init__(Credentials(claim.key, secret), claim.service, claim.region)
        self._claim, self._payload = claim, payload

    def headers_to_sign(self, request: Any) -> HTTPMessage:
        """Return the signed headers with the values that came over the wire."""
        headers = HTTPMessage()
        for name in self._claim.signed:
            headers[name] = request.headers[name]
        return headers

    def payload(self, request: Any) -> str:
        """Return the hash of the body, or the constant that stands for it."""
        return self._payload


class _RecomputeS3(_Recompute, S3SigV4Auth):
    """S3 signs the path as it is sent, encoded once."""


def verify(
    request: Inbound,
    lookup: Callable[[str], Principal | None],
    *,
    region: str,
    service: str | None = None,
    clock: Callable[[], float] = time.time,
) -> Signed:
    """Return who signed `request`; raises RefusedError. With `service`, a signature for another one does not count."""
    claim = read_claim(request)
    try:
        if claim.region != region or service not in (None, claim.service):
            raise RefusedError(
                Fault.MALFORMED, f"credential should be scoped to {service or claim.service} in {region}"
            )
        _check_signed_headers(request, claim)
        principal = lookup(claim.key)
        if principal is None:
            raise RefusedError(Fault.UNKNOWN_KEY, f"the access key id {claim.key} is not known")
        _check_time(claim, clock())
        _check_signature(request, claim, principal)
        _check_token(claim, principal, clock())
    except RefusedError as refused:
        refused.service = claim.service
        raise
    return Signed(principal, claim.service, claim.region, claim)


def read_claim(request: Inbound) -> Claim:
    """Read the signature from the Authorization header or the query; raises RefusedError when there is none or two."""
    presigned = [name for name, _ in request.parameters if name.startswith("X-Amz-")]
    header = request.headers.get("authorization")
    if header is None and "X-Amz-Signature" not in presigned:
        raise RefusedError(Fault.MISSING, "the request is not signed")
    if header is not None and "X-Amz-Signature" in presigned:
        raise RefusedError(Fault.MALFORMED, "only one kind of signature is allowed")
    return _presigned(request) if header is None else _from_header(header, request.headers)


def _from_header(header: str, headers: Mapping[str, str]) -> Claim:
    match = _AUTHORIZATION.fullmatch(header)
    scope = match and _SCOPE.fullmatch(match["credential"])
    if not match or not scope:
        raise RefusedError(Fault.MALFORMED, "the Authorization header is not AWS4-HMAC-SHA256")
    signed = tuple(match["signed"].split(";"))
    stamp, token = headers.get("x-amz-date", ""), headers.get("x-amz-security-token")
    return _claim(scope, signed=signed, signature=match["signature"], stamp=stamp, token=token)


def _claim(
    scope: re.Match[str],
    *,
    signed: tuple[str, ...],
    signature: str,
    stamp: str,
    token: str | None,
    expires: int | None = None,
) -> Claim:
    key, day, region, service = scope.group("key", "day", "region", "service")
    return Claim(key, day, region, service, signed, signature, stamp, token, expires)


def _presigned(request: Inbound) -> Claim:
    pairs = [(name, value) for name, value in request.parameters if name.startswith("X-Amz-")]
    query = dict(pairs)
    scope = _SCOPE.fullmatch(query.get("X-Amz-Credential", ""))
    expires = query.get("X-Amz-Expires", "")
    if (
        len(query) != len(pairs)
        or not scope
        or query.get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256"
        or not re.fullmatch(r"[0-9]{1,6}", expires)
        or not 1 <= int(expires) <= 604_800
    ):
        raise RefusedError(Fault.MALFORMED, "the query's signature parameters are not complete")
    return _claim(
        scope,
        signed=tuple(query.get("X-Amz-SignedHeaders", "").split(";")),
        signature=query["X-Amz-Signature"],
        stamp=query.get("X-Amz-Date", ""),
        token=query.get("X-Amz-Security-Token"),
        expires=int(expires),
    )


def _check_signed_headers(request: Inbound, claim: Claim) -> None:
    """Whoever is on the way may add headers: the host's and every x-amz-* one only count when they are signed."""
    must = {"host", *(name for name in request.headers if name.startswith("x-amz-"))}
    if unsigned := must - set(claim.signed):
        raise RefusedError(Fault.SIGNATURE, f"the header {sorted(unsigned)[0]} is not signed")
    if absent := set(claim.signed) - set(request.headers):
        raise RefusedError(Fault.SIGNATURE, f"the signed header {sorted(absent)[0]} did not arrive")


def _check_time(claim: Claim, now: float) -> None:
    try:
        at = datetime.strptime(claim.stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise RefusedError(Fault.MALFORMED, "the request has no X-Amz-Date") from None
    if claim.stamp[:8] != claim.day:
        raise RefusedError(Fault.SIGNATURE, "the credential's day is not the request's")
    if claim.expires is None and abs(now - at) > SKEW:
        raise RefusedError(Fault.SKEWED, f"the request's time {claim.stamp} is more than {SKEW} s from ours")
    if claim.expires is not None and at - now > SKEW:
        raise RefusedError(Fault.SKEWED, f"the request's time {claim.stamp} lies ahead")
    if claim.expires is not None and now > at + claim.expires:
        raise RefusedError(Fault.EXPIRED, "the presigned request has expired")


def _check_signature(request: Inbound, claim: Claim, principal: Principal) -> None:
    declared = request.headers.get("x-amz-content-sha256")
    signer = (_RecomputeS3 if claim.service == "s3" else _Recompute)(
        claim, principal.secret_key, _payload(request, claim, declared)
    )
    query = "&".join(p for p in request.query.split("&") if not p.startswith("X-Amz-Signature="))
    again = AWSRequest(method=request.method, url=f"http://-{request.path}?{query}", headers=request.headers)
    again.context["timestamp"] = claim.stamp
    expected = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    if not hmac.compare_digest(str(expected).encode(), claim.signature.encode()):
        raise RefusedError(Fault.SIGNATURE, "the signature does not match what we calculated")


def _payload(request: Inbound, claim: Claim, declared: str | None) -> str:
    """Return what stands for the body in the canonical request; a declared hash must be the body's own."""
    if claim.service == "s3" and (declared in (UNSIGNED_BODY, CHUNKED_BODY) or (declared is None and claim.expires)):
        return declared or UNSIGNED_BODY
    if declared is not None and not _HASH.fullmatch(declared):
        raise RefusedError(Fault.NOT_IMPLEMENTED, f"x-amz-content-sha256 {declared} is not implemented")
    actual = hashlib.sha256(request.body).hexdigest()
    if declared not in (None, actual):
        raise RefusedError(Fault.SIGNATURE, "the body is not the one that was signed")
    return actual


def _check_token(claim: Claim, principal: Principal, now: float) -> None:
    if not hmac.compare_digest((claim.token or "").encode(), (principal.token or "").encode()):
        raise RefusedError(Fault.BAD_TOKEN, "the security token included in the request is invalid")
    if principal.expires is not None and now >= principal.expires:
        raise RefusedError(Fault.EXPIRED_TOKEN, "the security token included in the request is expired")
