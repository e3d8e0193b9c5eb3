"""Which S3 operation a REST request is, and what its caller needs for it.

A query parameter that is not known here is refused by name: an unknown sub-resource must not pass as a plain GET.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote
from xml.etree import ElementTree

from infra.local.inbound import Inbound
from infra.local.need import Need
from infra.local.policies import Value
from infra.local.sigv4 import Fault, RefusedError

_SERVICE = {("GET", ""): ("ListBuckets", "s3:ListAllMyBuckets")}
_BUCKET = {
    ("GET", ""): ("ListObjects", "s3:ListBucket"),
    ("HEAD", ""): ("HeadBucket", "s3:ListBucket"),
    ("PUT", ""): ("CreateBucket", "s3:CreateBucket"),
    ("DELETE", ""): ("DeleteBucket", "s3:DeleteBucket"),
    ("GET", "location"): ("GetBucketLocation", "s3:GetBucketLocation"),
    ("GET", "versions"): ("ListObjectVersions", "s3:ListBucketVersions"),
    ("GET", "uploads"): ("ListMultipartUploads", "s3:ListBucketMultipartUploads"),
    ("GET", "versioning"): ("GetBucketVersioning", "s3:GetBucketVersioning"),
    ("PUT", "versioning"): ("PutBucketVersioning", "s3:PutBucketVersioning"),
    ("GET", "notification"): ("GetBucketNotificationConfiguration", "s3:GetBucketNotification"),
    ("PUT", "notification"): ("PutBucketNotificationConfiguration", "s3:PutBucketNotification"),
    ("GET", "encryption"): ("GetBucketEncryption", "s3:GetEncryptionConfiguration"),
    ("PUT", "encryption"): ("PutBucketEncryption", "s3:PutEncryptionConfiguration"),
    ("GET", "lifecycle"): ("GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
    ("PUT", "lifecycle"): ("PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
    ("GET", "policy"): ("GetBucketPolicy", "s3:GetBucketPolicy"),
    ("PUT", "policy"): ("PutBucketPolicy", "s3:PutBucketPolicy"),
    ("GET", "tagging"): ("GetBucketTagging", "s3:GetBucketTagging"),
    ("PUT", "tagging"): ("PutBucketTagging", "s3:PutBucketTagging"),
    ("PUT", "publicAccessBlock"): ("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    ("PUT", "ownershipControls"): ("PutBucketOwnershipControls", "s3:PutBucketOwnershipControls"),
    ("POST", "delete"): ("DeleteObjects", "s3:DeleteObject"),
}
_OBJECT = {
    ("GET", ""): ("GetObject", "s3:GetObject"),
    ("HEAD", ""): ("HeadObject", "s3:GetObject"),
    ("PUT", ""): ("PutObject", "s3:PutObject"),
    ("DELETE", ""): ("DeleteObject", "s3:DeleteObject"),
    ("GET", "tagging"): ("GetObjectTagging", "s3:GetObjectTagging"),
    ("PUT", "tagging"): ("PutObjectTagging", "s3:PutObjectTagging"),
    ("DELETE", "tagging"): ("DeleteObjectTagging", "s3:DeleteObjectTagging"),
    ("GET", "attributes"): ("GetObjectAttributes", "s3:GetObjectAttributes"),
    ("POST", "uploads"): ("CreateMultipartUpload", "s3:PutObject"),
    ("PUT", "uploadId"): ("UploadPart", "s3:PutObject"),
    ("POST", "uploadId"): ("CompleteMultipartUpload", "s3:PutObject"),
    ("GET", "uploadId"): ("ListParts", "s3:ListMultipartUploadParts"),
    ("DELETE", "uploadId"): ("AbortMultipartUpload", "s3:AbortMultipartUpload"),
}
_SELECTORS = {selector for table in (_BUCKET, _OBJECT) for _, selector in table if selector}
_PARAMETERS = {
    *("x-id", "versionId", "partNumber", "prefix", "delimiter", "max-keys", "list-type", "continuation-token"),
    *("marker", "start-after", "encoding-type", "fetch-owner", "key-marker", "version-id-marker", "upload-id-marker"),
    *("max-uploads", "part-number-marker", "max-parts"),
}
_VERSIONED = {
    *("s3:GetObject", "s3:DeleteObject", "s3:GetObjectTagging", "s3:PutObjectTagging", "s3:DeleteObjectTagging"),
    "s3:GetObjectAttributes",
}
_TO_QUERY = ("prefix", "delimiter", "max-keys")
_CONDITION_HEADERS = (
    *("x-amz-acl", "x-amz-grant-", "x-amz-copy-source", "x-amz-metadata-directive", "x-amz-server-side-encryption"),
    *("x-amz-storage-class", "x-amz-object-ownership", "x-amz-website-redirect-location"),
)
_MAY_TAG = {"PutObject", "CopyObject", "CreateMultipartUpload"}


@dataclass(frozen=True)
class S3Call:
    """One S3 request understood; `key` is empty for requests to a bucket, both are for requests to the service."""

    operation: str
    bucket: str
    key: str
    version: str | None
    needs: tuple[Need, ...]
    deleted: tuple[tuple[str, str | None], ...] = ()


def read(request: Inbound) -> S3Call:
    """Understand a path-style S3 request; raises RefusedError for what is not known."""
    bucket, _, key = request.decoded_path[1:].partition("/")
    query = _query(request)
    selectors = [name for name in query if name in _SELECTORS]
    table = _OBJECT if key else _BUCKET if bucket else _SERVICE
    found = table.get((request.method, selectors[0] if selectors else ""))
    if found is None or len(selectors) > 1:
        raise RefusedError(Fault.NOT_IMPLEMENTED, f"{request.method} with {selectors or 'no sub-resource'}", "s3")
    operation, action = found
    version = query.get("versionId") if key else None
    context = _context(request, query)
    if operation == "DeleteObjects":
        return _delete_many(request, bucket, context)
    if "x-amz-copy-source" in request.headers:
        operation = {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}.get(operation, "")
        if not operation:
            raise RefusedError(Fault.INVALID, "x-amz-copy-source is for PUT of an object", "s3")
    action += "Version" * (version is not None and action in _VERSIONED)
    needs = [Need(action, _arn(bucket, key), context), *_beside(request, operation, bucket, key, context)]
    return S3Call(operation, bucket, key, version, tuple(needs))


def _query(request: Inbound) -> dict[str, str]:
    query: dict[str, str] = {}
    for name, value in request.parameters:
        if name.startswith(("X-Amz-", "response-")):
            continue
        if name in query or (name not in _SELECTORS and name not in _PARAMETERS):
            raise RefusedError(
                Fault.NOT_IMPLEMENTED, f"the query parameter {name!r} is not known, or comes twice", "s3"
            )
        query[name] = value
    return query


def _context(request: Inbound, query: Mapping[str, str]) -> dict[str, Value]:
    """Return the S3 condition keys: query parameters, the headers that are one, how it was signed."""
    context: dict[str, Value] = {f"s3:{name}": query[name] for name in _TO_QUERY if name in query}
    if "versionId" in query:
        context["s3:versionid"] = query["versionId"]
    context |= {f"s3:{name}": value for name, value in request.headers.items() if name.startswith(_CONDITION_HEADERS)}
    if "if-none-match" in request.headers:
        context["s3:if-none-match"] = request.headers["if-none-match"]
    presigned = "authorization" not in request.headers
    return context | {"s3:authtype": "REST-QUERY-STRING" if presigned else "REST-HEADER"}


def _beside(request: Inbound, operation: str, bucket: str, key: str, context: Mapping[str, Value]) -> list[Need]:
    """Return what a request needs beside its main action: a copy's source, tags, ACLs."""
    needs = []
    if source := request.headers.get("x-amz-copy-source"):
        path, _, version = source.partition("?versionId=")
        source_bucket, _, source_key = unquote(path).removeprefix("/").partition("/")
        action = "s3:GetObjectVersion" if version else "s3:GetObject"
        needs.append(Need(action, _arn(source_bucket, source_key), context))
    if "x-amz-tagging" in request.headers and operation in _MAY_TAG:
        needs.append(Need("s3:PutObjectTagging", _arn(bucket, key), context))
    if any(name == "x-amz-acl" or name.startswith("x-amz-grant-") for name in request.headers):
        needs.append(Need("s3:PutObjectAcl" if key else "s3:PutBucketAcl", _arn(bucket, key), context))
    return needs


def _delete_many(request: Inbound, bucket: str, context: Mapping[str, Value]) -> S3Call:
    """Every object of the list must be allowed; unlike on AWS, one that is not refuses them all."""
    try:
        tree = ElementTree.fromstring(request.body)  # noqa: S314 - expat >= 2.4.1 bounds entities; a signed local caller
    except ElementTree.ParseError as wrong:
        raise RefusedError(Fault.INVALID, "the body is not XML", "s3") from wrong
    entries = [entry for entry in tree.iter() if entry.tag.rpartition("}")[2] == "Object"]
    objects = tuple((e.findtext("{*}Key") or "", e.findtext("{*}VersionId") or None) for e in entries)
    needs = [
        Need("s3:DeleteObjectVersion" if version else "s3:DeleteObject", _arn(bucket, key), context)
        for key, version in objects
    ]
    if not needs:
        raise RefusedError(Fault.INVALID, "the list of objects to delete is empty", "s3")
    return S3Call("DeleteObjects", bucket, "", None, tuple(needs), objects)


def _arn(bucket: str, key: str) -> str:
    return f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}" if bucket else "*"
