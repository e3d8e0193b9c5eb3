"""How each AWS service says no: S3 in XML, query services in XML of another kind, JSON and CBOR services in theirs.

Statuses are 403 for whatever is wrong with a signature or a permission, so that a caller needs to know one number.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from enum import Enum
from xml.sax.saxutils import escape

from infra.local.inbound import Inbound
from infra.local.sigv4 import Fault, RefusedError

Answer = tuple[int, list[tuple[str, str]], bytes]


class Dialect(Enum):
    """The form of a service's errors."""

    S3 = "s3"
    QUERY = "query"
    JSON = "json"
    CBOR = "cbor"
    API = "api"


@dataclass(frozen=True)
class _Codes:
    s3: str
    query: str
    json: str


_CODES = {
    Fault.MISSING: _Codes("AccessDenied", "MissingAuthenticationToken", "MissingAuthenticationTokenException"),
    Fault.MALFORMED: _Codes("AuthorizationHeaderMalformed", "IncompleteSignature", "IncompleteSignatureException"),
    Fault.UNKNOWN_KEY: _Codes("InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException"),
    Fault.SIGNATURE: _Codes("SignatureDoesNotMatch", "SignatureDoesNotMatch", "InvalidSignatureException"),
    Fault.SKEWED: _Codes("RequestTimeTooSkewed", "RequestExpired", "RequestExpired"),
    Fault.EXPIRED: _Codes("AccessDenied", "RequestExpired", "RequestExpired"),
    Fault.BAD_TOKEN: _Codes("InvalidToken", "InvalidClientTokenId", "UnrecognizedClientException"),
    Fault.EXPIRED_TOKEN: _Codes("ExpiredToken", "ExpiredToken", "ExpiredTokenException"),
    Fault.DENIED: _Codes("AccessDenied", "AccessDenied", "AccessDeniedException"),
    Fault.INVALID: _Codes("InvalidRequest", "ValidationError", "ValidationException"),
    Fault.NOT_IMPLEMENTED: _Codes("NotImplemented", "NotImplemented", "NotImplemented"),
}
_STATUS = {Fault.INVALID: 400, Fault.NOT_IMPLEMENTED: 501}
_MISSING_TOKEN = "Missing Authentication Token"


def dialect(request: Inbound, service: str) -> Dialect:
    """Return how `service` (empty where the request does not say) answers this request."""
    if service == "execute-api":
        return Dialect.API
    if request.headers.get("smithy-protocol") == "rpc-v2-cbor":
        return Dialect.CBOR
    if "x-amz-target" in request.headers:
        return Dialect.JSON
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    if service == "s3" or (not service and not form and "Action" not in dict(request.parameters)):
        return Dialect.S3
    return Dialect.QUERY


def refusal(request: Inbound, refused: RefusedError) -> Answer:
    """Return status, headers and body of a refusal in the service's own form."""
    codes, status = _CODES[refused.fault], _STATUS.get(refused.fault, 403)
    form, request_id = dialect(request, refused.service), str(uuid.uuid4())
    if form is Dialect.S3:
        return status, [("Content-Type", "application/xml")], _s3(codes.s3, refused.message, request, request_id)
    if form is Dialect.QUERY:
        return status, [("Content-Type", "text/xml")], _query(codes.query, refused.message, request_id)
    headers = [("x-amzn-RequestId", request_id), ("x-amzn-ErrorType", codes.json)]
    if form is Dialect.API:
        message = _MISSING_TOKEN if refused.fault is Fault.MISSING else refused.message
        name = "Message" if refused.fault is Fault.DENIED else "message"
        return status, [*headers, ("Content-Type", "application/json")], json.dumps({name: message}).encode()
    fields = {"__type": codes.json, "message": refused.message}
    if form is Dialect.CBOR:
        return (
            status,
            [*headers, ("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")],
            _cbor(fields),
        )
    return status, [*headers, ("Content-Type", "application/x-amz-json-1.0")], json.dumps(fields).encode()


def _s3(code: str, message: str, request: Inbound, request_id: str) -> bytes:
    if request.method == "HEAD":
        return b""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{escape(message)}</Message>'
        f"<Resource>{escape(request.path)}</Resource><RequestId>{request_id}</RequestId></Error>"
    ).encode()


def _query(code: str, message: str, request_id: str) -> bytes:
    return (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()


def _cbor(fields: dict[str, str]) -> bytes:
    """Encode a map of at most 23 texts, each under 64 kB."""

    def text(value: str) -> bytes:
        raw = value.encode()
        return b"\x79" + len(raw).to_bytes(2, "big") + raw

    return bytes([0xA0 + len(fields)]) + b"".join(text(name) + text(value) for name, value in fields.items())
