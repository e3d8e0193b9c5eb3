"""Which action on which resource a request asks for, whatever its service's protocol is.

A service or operation that is not known here is refused by name, except for the root, whose calls need no name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.parsers import BaseCBORParser

from infra.local.inbound import Inbound
from infra.local.need import Need
from infra.local.sigv4 import Fault, RefusedError

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where unqualified names live."""

    region: str
    account: str

    def arn(self, service: str, rest: str) -> str:
        """Return an ARN of this region and account."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"


@dataclass(frozen=True)
class Service:
    """A service by its signing name: its prefix in policies, and how a call's parameters name the resource."""

    prefix: str
    target: str
    resource: Callable[[Parameters, Place], str]


def _queue(call: Parameters, place: Place) -> str:
    if "QueueUrl" in call:
        return place.arn("sqs", urlsplit(call["QueueUrl"]).path.rpartition("/")[2])
    if "QueueName" in call:
        return place.arn("sqs", call["QueueName"])
    return str(call.get("SourceArn") or "*")


def _secret(call: Parameters, place: Place) -> str:
    name = call.get("SecretId") or call.get("Name")
    return "*" if not name else name if name.startswith("arn:") else place.arn("secretsmanager", f"secret:{name}")


def _key(call: Parameters, place: Place) -> str:
    name = call.get("KeyId")
    if not name or name.startswith("arn:"):
        return name or "*"
    return place.arn("kms", name if name.startswith("alias/") else f"key/{name}")


def _parameter(call: Parameters, place: Place) -> str:
    name = call.get("Name") or call.get("Path")
    return place.arn("ssm", f"parameter/{name.removeprefix('/')}") if name else "*"


def _log_group(call: Parameters, place: Place) -> str:
    name, stream = call.get("logGroupName"), call.get("logStreamName")
    if not name:
        return str(call.get("resourceArn") or "*")
    return place.arn("logs", f"log-group:{name}:log-stream:{stream}" if stream else f"log-group:{name}:*")


def _topic(call: Parameters, place: Place) -> str:
    return str(call.get("TopicArn") or call.get("TargetArn") or place.arn("sns", call.get("Name") or "*"))


def _nothing(_: Parameters, __: Place) -> str:
    return "*"


SERVICES = {
    "sqs": Service("sqs", "AmazonSQS", _queue),
    "secretsmanager": Service("secretsmanager", "secretsmanager", _secret),
    "kms": Service("kms", "TrentService", _key),
    "ssm": Service("ssm", "AmazonSSM", _parameter),
    "logs": Service("logs", "Logs_20140328", _log_group),
    "monitoring": Service("cloudwatch", "GraniteServiceVersion20100801", _nothing),
    "sns": Service("sns", "", _topic),
    "sts": Service("sts", "", _nothing),
}
_BATCHES = {
    "SendMessageBatch": "SendMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
}


def read(request: Inbound, service: str, place: Place) -> Need:
    """Return what a request to any service but S3 needs; raises RefusedError for an unknown service or form."""
    known = SERVICES.get(service)
    if known is None:
        raise RefusedError(Fault.NOT_IMPLEMENTED, f"the local stack does not know the service {service!r}", service)
    operation, call = parameters(request, service)
    context = {"cloudwatch:namespace": call["Namespace"]} if service == "monitoring" and "Namespace" in call else {}
    return Need(f"{known.prefix}:{_BATCHES.get(operation, operation)}", known.resource(call, place), context)


def parameters(request: Inbound, service: str) -> tuple[str, Parameters]:
    """Return operation and parameters of a JSON, CBOR or query request.

    What one part says no other part may say again: a name in both query and body would be read by one of us only.
    """
    target, _, operation = request.headers.get("x-amz-target", "").partition(".")
    kind = request.headers.get("content-type", "").partition(";")[0]
    wanted = SERVICES[service].target
    try:
        plain = request.path == "/" and not request.query
        if target and target == wanted and kind.startswith("application/x-amz-json") and plain:
            return operation, _mapping(json.loads(request.body or b"{}"))
        if request.headers.get("smithy-protocol") == "rpc-v2-cbor" and not target and not request.query:
            prefix, _, operation = request.path.rpartition("/operation/")
            if prefix == f"/service/{wanted}":
                return operation, _mapping(_cbor(request.body))
        if not target and request.path == "/" and (request.method == "GET") == (not request.body):
            form = request.body.decode() if request.method == "POST" and not request.query else request.query
            call = parse_qs(form, keep_blank_values=True, strict_parsing=True)
            if all(len(values) == 1 for values in call.values()):
                return call["Action"][0], {name: values[0] for name, values in call.items()}
    except (ValueError, KeyError) as wrong:
        raise RefusedError(Fault.INVALID, f"the request cannot be read: {wrong!r}", service) from wrong
    raise RefusedError(Fault.INVALID, f"this is no request to {service}", service)


def _mapping(value: Any) -> Parameters:
    if not isinstance(value, dict):
        raise ValueError("the parameters are no object")
    return value


def _cbor(body: bytes) -> Any:
    parser = BaseCBORParser()
    return parser.parse_data_item(parser.get_peekable_stream_from_bytes(body)) if body else {}
