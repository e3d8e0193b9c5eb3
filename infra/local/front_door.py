"""The front door of the local AWS: nothing reaches moto that is not signed, understood, allowed and recorded.

A WSGI middleware. It verifies the signature, names action and resource, evaluates the caller's policies, answers STS
itself, forwards the rest, and tells of every object that was written, with the principal who wrote it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from urllib.parse import quote

from infra.local import actions, s3_actions, sts
from infra.local.actions import Place
from infra.local.aws_chunked import decode
from infra.local.encryption import Encryption
from infra.local.iam import Decision, Identities, Principal, evaluate
from infra.local.inbound import Environ, Inbound, MalformedRequestError
from infra.local.moto import Moto, StartResponse, WsgiApp, authorization
from infra.local.need import Need
from infra.local.object_events import Events, ObjectEvent
from infra.local.policies import Value
from infra.local.refusals import Answer, refusal
from infra.local.s3_actions import S3Call
from infra.local.sigv4 import CHUNKED_BODY, Fault, RefusedError, Signed, verify

_MOTOS_OWN = ("/moto-api", "/latest/", "/v20180820/", "/favicon.ico")  # moto gives these paths a meaning of its own
_FORM = "application/x-www-form-urlencoded"
_CHUNKING = {
    "HTTP_X_AMZ_TRAILER",
    "HTTP_X_AMZ_DECODED_CONTENT_LENGTH",
    "HTTP_TRANSFER_ENCODING",
}


@dataclass(frozen=True)
class Call:
    """One decision, recorded: least privilege is tested against these."""

    principal: str
    role: str | None
    action: str
    resource: str
    allowed: bool
    context: Mapping[str, Value]


class FrontDoor:
    """Verifies, authorises and records every request to `app`; emits the event of every object written."""

    def __init__(
        self,
        app: WsgiApp,
        identities: Identities,
        record: Callable[[Call], None],
        emit: Callable[[ObjectEvent], None],
        *,
        region: str = "us-east-1",
        account: str = "123456789012",
    ) -> None:
        self._identities, self._record, self._emit = identities, record, emit
        self._place, self._moto = Place(region, account), Moto(app, region)
        self._encryption = Encryption(self._moto, self._place)
        self._events = Events(self._head)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            request = Inbound.read(environ)
        except MalformedRequestError as wrong:
            status, headers, body = 400, [("Content-Type", "text/plain")], str(wrong).encode()
        else:
            try:
                status, headers, body = self._answer(environ, request)
            except RefusedError as refused:
                status, headers, body = refusal(request, refused)
        if not any(name.lower() == "content-length" for name, _ in headers):
            headers = [*headers, ("Content-Length", str(len(body)))]
        start_response(status_line(status), headers)
        return [body]

    def _answer(self, environ: Environ, request: Inbound) -> Answer:
        signed = verify(request, self._identities.by_access_key, region=self._place.region)
        try:
            if request.decoded_path.startswith(_MOTOS_OWN):
                raise RefusedError(Fault.NOT_IMPLEMENTED, f"the local AWS has nothing at {request.path}")
            if signed.service == "s3":
                return self._answer_s3(environ, request, signed)
            if signed.service == "sts":
                operation, call = actions.parameters(request, "sts")
                result = sts.answer(
                    operation,
                    call,
                    caller=signed.principal,
                    identities=self._identities,
                    authorise=partial(self._decided, signed.principal),
                )
                return sts.render(operation, result, request.headers.get("accept"))
            return self._answer_other(environ, request, signed)
        except RefusedError as refused:
            refused.service = signed.service
            raise

    def _answer_other(self, environ: Environ, request: Inbound, signed: Signed) -> Answer:
        try:
            need = actions.read(request, signed.service, self._place)
        except RefusedError:
            if not signed.principal.root:
                raise
            need = Need(f"{signed.service}:*", "*")
        self._authorise(signed, need)
        if not signed.principal.root:
            self._authorise(signed, *self._encryption.of_secret(need.action, need.resource))
        return self._forward(environ, request, signed)

    def _answer_s3(self, environ: Environ, request: Inbound, signed: Signed) -> Answer:
        call = self._read_s3(request, signed.principal)
        self._authorise(signed, *call.needs)
        if not signed.principal.root:
            self._authorise(signed, *self._encryption.of_objects(call, request.headers.get("x-amz-copy-source")))
        request = _unchunked(request)
        status, headers, body = self._forward(environ, request, signed)
        if status == 404 and call.operation in ("GetObject", "HeadObject") and b"NoSuchBucket" not in body:
            # Whoever may not list a bucket does not learn what is not there.
            self._authorise(signed, Need("s3:ListBucket", f"arn:aws:s3:::{call.bucket}"))
        if status < 300:
            if call.operation == "PutBucketEncryption":
                self._encryption.forget(call.bucket)
            for event in self._events.of(call, signed, request, (status, headers, body)):
                self._emit(event)
        return status, headers, body

    def _read_s3(self, request: Inbound, principal: Principal) -> S3Call:
        try:
            return s3_actions.read(request)
        except RefusedError:
            if not principal.root:
                raise
            return S3Call("", "", "", None, ())

    def _authorise(self, signed: Signed, *needs: Need) -> None:
        who = signed.principal
        for need in needs:
            self._decided(who, need, evaluate(who, need.action, need.resource, need.context))

    def _decided(self, who: Principal, need: Need, decision: Decision) -> None:
        """Record a decision and raise where it is a no."""
        self._record(Call(who.arn, who.role_arn, need.action, need.resource, decision.allowed, need.context))
        if not decision.allowed:
            message = f"User: {who.arn} is not authorized to perform: {need.action} on resource: {need.resource}"
            raise RefusedError(Fault.DENIED, f"{message} because {decision.reason}")

    def _forward(self, environ: Environ, request: Inbound, signed: Signed) -> Answer:
        """Hand the request to moto exactly as it was authorised: the service, the host and the path cannot differ."""
        onward = {name: value for name, value in environ.items() if name not in _CHUNKING}
        onward |= {
            "wsgi.input": io.BytesIO(request.body),
            "CONTENT_LENGTH": str(len(request.body)),
            "RAW_URI": environ["REQUEST_URI"],
            "HTTP_HOST": f"127.0.0.1:{environ['SERVER_PORT']}",
            "HTTP_AUTHORIZATION": authorization(signed.claim.key, signed.claim.day, signed.region, signed.service),
        }
        if signed.service == "s3" and onward.get("CONTENT_TYPE", "").startswith(_FORM):
            onward["CONTENT_TYPE"] = "binary/octet-stream"  # moto would take an object for a form, and store nothing
        for name, value in request.headers.items():
            if name.startswith("x-amz-checksum-") or name in ("content-encoding", "x-amz-content-sha256"):
                onward[f"HTTP_{name.upper().replace('-', '_')}"] = value
        return self._moto.call(onward)

    def _head(self, bucket: str, key: str, version: str | None) -> Mapping[str, str]:
        """Return a written object's headers."""
        query = f"versionId={version}" if version else ""
        status, headers, _ = self._moto.ask("s3", "HEAD", f"/{bucket}/{quote(key)}", query)
        if status != 200:
            raise LookupError(f"{bucket}/{key} was written and is not there: {status}")
        return headers


def _unchunked(request: Inbound) -> Inbound:
    """Return the request with an aws-chunked body decoded and its checksum verified, as if it had come whole."""
    if request.headers.get("x-amz-content-sha256") != CHUNKED_BODY:
        return request
    try:
        body, trailers = decode(request.body)
    except ValueError as wrong:
        raise RefusedError(Fault.INVALID, f"the chunked body cannot be read: {wrong}") from wrong
    encodings = [e.strip() for e in request.headers.get("content-encoding", "").split(",")]
    kept = ",".join(e for e in encodings if e and e != "aws-chunked")
    headers = {**request.headers, **trailers, "content-encoding": kept, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    return replace(request, body=body, headers=headers)


def status_line(status: int) -> str:
    """Return a status as WSGI wants it."""
    return f"{status} {HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else 'Unknown'}"
