"""Who reads or writes what KMS guards needs the key too, through the service: AWS asks that, and moto does not."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from urllib.parse import unquote
from xml.etree import ElementTree

from infra.local.actions import Place
from infra.local.moto import Moto
from infra.local.need import Need
from infra.local.s3_actions import S3Call

_DECRYPT, _GENERATE = "kms:Decrypt", "kms:GenerateDataKey"
_S3_ACTIONS = {
    "GetObject": (_DECRYPT,),
    "PutObject": (_GENERATE,),
    "CopyObject": (_GENERATE,),
    "CreateMultipartUpload": (_GENERATE,),
    "UploadPart": (_GENERATE, _DECRYPT),
    "UploadPartCopy": (_GENERATE, _DECRYPT),
    "CompleteMultipartUpload": (_DECRYPT,),
}


class Encryption:
    """Knows the KMS key of each bucket and secret: asked of moto once each."""

    def __init__(self, moto: Moto, place: Place) -> None:
        self._moto, self._place = moto, place
        self._keys: dict[str, str | None] = {}
        self._lock = threading.Lock()

    def of_objects(self, call: S3Call, copied_from: str | None) -> Iterator[Need]:
        """Yield what an S3 call needs of the bucket's key, and a copy of its source's; none without a key of KMS."""
        yield from self._needs("s3", self._bucket_key(call.bucket), *_S3_ACTIONS.get(call.operation, ()))
        if copied_from:
            source = unquote(copied_from).removeprefix("/").partition("/")[0]
            yield from self._needs("s3", self._bucket_key(source), _DECRYPT)

    def of_secret(self, action: str, arn: str) -> Iterator[Need]:
        """Yield what reading a secret needs of its key."""
        if action == "secretsmanager:GetSecretValue":
            yield from self._needs("secretsmanager", self._once(arn, self._ask_secret), _DECRYPT)

    def forget(self, bucket: str) -> None:
        """Ask again for a bucket's key: its encryption has changed."""
        with self._lock:
            self._keys.pop(bucket, None)

    def _needs(self, service: str, key: str | None, *actions: str) -> Iterator[Need]:
        if key is None:
            return
        arn = key if key.startswith("arn:") else self._place.arn("kms", key if "/" in key else f"key/{key}")
        through = f"{service}.{self._place.region}.amazonaws.com"
        for action in actions:
            yield Need(action, arn, {"kms:ViaService": through, "kms:CallerAccount": self._place.account})

    def _bucket_key(self, bucket: str) -> str | None:
        return self._once(bucket, self._ask_bucket) if bucket else None

    def _once(self, name: str, ask: Callable[[str], str | None]) -> str | None:
        with self._lock:
            if name in self._keys:
                return self._keys[name]
        key = ask(name)
        with self._lock:
            return self._keys.setdefault(name, key)

    def _ask_bucket(self, bucket: str) -> str | None:
        status, _, body = self._moto.ask("s3", "GET", f"/{bucket}", "encryption=")
        return ElementTree.fromstring(body).findtext(".//{*}KMSMasterKeyID") if status == 200 else None  # noqa: S314 - moto's

    def _ask_secret(self, arn: str) -> str | None:
        question = json.dumps({"SecretId": arn}).encode()
        status, _, body = self._moto.ask(
            "secretsmanager", "POST", "/", target="secretsmanager.DescribeSecret", body=question
        )
        key = json.loads(body).get("KmsKeyId") if status == 200 else None
        return None if key is None else str(key)
