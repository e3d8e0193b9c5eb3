"""What happened to an object, as S3 would tell it: made from a request that moto has answered with success."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from infra.local.inbound import Inbound
from infra.local.s3_actions import S3Call
from infra.local.sigv4 import Signed


@dataclass(frozen=True)
class ObjectEvent:
    """One change of one object; `name` as in ObjectCreated:Put, `time` in seconds since 1970, `size` in bytes."""

    name: str
    bucket: str
    key: str
    size: int | None
    etag: str | None
    version_id: str | None
    sequencer: str
    principal_id: str
    account: str
    region: str
    source_ip: str
    request_id: str
    time: float


_CREATED = {
    "PutObject": "ObjectCreated:Put",
    "CopyObject": "ObjectCreated:Copy",
    "CompleteMultipartUpload": "ObjectCreated:CompleteMultipartUpload",
}
DELETED, MARKED = "ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated"


class Sequencer:
    """Hexadecimal numbers that only grow, also over a restart: two events of a key are ordered by them."""

    def __init__(self) -> None:
        self._last, self._lock = 0, threading.Lock()

    def next(self) -> str:
        """Return the next number, 18 digits long."""
        with self._lock:
            self._last = max(self._last + 1, time.time_ns())
            return f"{self._last:018X}"


class Events:
    """Makes events from S3 calls; `head` asks for a written object's headers where the answer does not tell them."""

    def __init__(self, head: Callable[[str, str, str | None], Mapping[str, str]]) -> None:
        self._head, self._sequencer = head, Sequencer()

    def of(
        self, call: S3Call, signed: Signed, request: Inbound, answer: tuple[int, list[tuple[str, str]], bytes]
    ) -> Iterator[ObjectEvent]:
        """Yield the events of a call that succeeded with `answer` (status, headers, body)."""
        headers = {name.lower(): value for name, value in answer[1]}

        def event(name: str, key: str, size: int | None, etag: str | None, version: str | None) -> ObjectEvent:
            return ObjectEvent(
                name=name,
                bucket=call.bucket,
                key=key,
                size=size,
                etag=etag.strip('"') if etag else None,
                version_id=None if version in (None, "null") else version,
                sequencer=self._sequencer.next(),
                principal_id=f"AWS:{signed.principal.user_id}",
                account=signed.principal.account,
                region=signed.region,
                source_ip=request.source_ip,
                request_id=uuid.uuid4().hex[:16].upper(),
                time=time.time(),
            )

        version = headers.get("x-amz-version-id")
        if call.operation == "PutObject":
            yield event(_CREATED[call.operation], call.key, len(request.body), headers.get("etag"), version)
        elif call.operation in _CREATED:
            written = self._head(call.bucket, call.key, version)
            size = int(written["content-length"])
            yield event(_CREATED[call.operation], call.key, size, written.get("etag"), version)
        elif call.operation == "DeleteObject":
            marked = headers.get("x-amz-delete-marker") == "true" and call.version is None
            yield event(MARKED if marked else DELETED, call.key, None, None, call.version or version)
        elif call.operation == "DeleteObjects":
            for key, kept, marker in _deleted(call, answer[2]):
                yield event(MARKED if marker else DELETED, key, None, None, marker or kept)


def _deleted(call: S3Call, answer: bytes) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield key, deleted version and delete marker's version of each object that was deleted."""
    tree = ElementTree.fromstring(answer) if answer else None  # noqa: S314 - moto wrote it
    entries = list(tree.iter()) if tree is not None else []
    failed = {e.findtext("{*}Key") for e in entries if e.tag.endswith("Error")}
    markers = {
        e.findtext("{*}Key"): e.findtext("{*}DeleteMarkerVersionId") for e in entries if e.tag.endswith("Deleted")
    }
    for key, version in call.deleted:
        if key not in failed:
            yield key, version, markers.get(key) if version is None else None
