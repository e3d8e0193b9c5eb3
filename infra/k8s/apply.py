"""Applies Kubernetes documents when a stack is deployed: a custom resource's handler, standing on the runtime alone.

Server-side apply over HTTPS with a presigned STS token. Deleting goes through the documents backwards.
"""

from __future__ import annotations

import base64
import json
import os
import time
from typing import Any

import boto3
import urllib3
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest

_PLURALS = {
    "NetworkPolicy": "networkpolicies",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "RuntimeClass": "runtimeclasses",
}
_ALONE = {  # kinds outside of any namespace
    "ClusterRole",
    "ClusterRoleBinding",
    "Namespace",
    "RuntimeClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}
_MANAGER = "tapedeck"
_TRIES = 10  # a new access entry takes some seconds to be known
_PAUSE_S = 10


class ApplyError(Exception):
    """The cluster refused a document."""


def handler(event: dict[str, Any], _context: object) -> dict[str, str]:
    """Make the cluster hold `Manifest`; on update delete what the previous one held besides, on delete everything."""
    wanted = json.loads(event["ResourceProperties"]["Manifest"])
    before = json.loads(event.get("OldResourceProperties", {}).get("Manifest", "[]"))
    cluster = Cluster(os.environ)
    if event["RequestType"] == "Delete":
        before, wanted = wanted, []
    for document in wanted:
        cluster.apply(document)
    kept = {path(d) for d in wanted}
    for document in reversed(before):
        if path(document) not in kept:
            cluster.delete(document)
    return {"PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"]}


def path(document: dict[str, Any]) -> str:
    """Return the API path of the object that a document describes."""
    version, kind = document["apiVersion"], document["kind"]
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    plural = _PLURALS.get(kind, f"{kind.lower()}s")
    name = document["metadata"]["name"]
    if kind in _ALONE:
        return f"{root}/{plural}/{name}"
    return f"{root}/namespaces/{document['metadata']['namespace']}/{plural}/{name}"


class Cluster:
    """The cluster's API, as the role of this function sees it."""

    def __init__(self, environment: Any) -> None:
        self._name = environment["CLUSTER_NAME"]
        self._url = environment["CLUSTER_ENDPOINT"]
        ca = base64.b64decode(environment["CLUSTER_CA"]).decode()
        self._http = urllib3.PoolManager(ca_cert_data=ca, timeout=30, retries=urllib3.Retry(3, allowed_methods=None))

    def apply(self, document: dict[str, Any]) -> None:
        """Create or change one object; raises `ApplyError` with the cluster's own words."""
        self._call(
            "PATCH", f"{path(document)}?fieldManager={_MANAGER}&force=true", json.dumps(document).encode(), {200, 201}
        )

    def delete(self, document: dict[str, Any]) -> None:
        """Delete one object; it may be gone already."""
        self._call("DELETE", path(document), None, {200, 202, 404})

    def _call(self, method: str, target: str, body: bytes | None, fine: set[int]) -> None:
        for attempt in range(_TRIES):
            headers = {"Authorization": f"Bearer {self._token()}", "Content-Type": "application/apply-patch+yaml"}
            answer = self._http.request(method, self._url + target, body=body, headers=headers)
            if answer.status in fine:
                return
            if answer.status not in (401, 403) or attempt == _TRIES - 1:
                raise ApplyError(f"{method} {target}: {answer.status} {answer.data[:2000].decode(errors='replace')}")
            time.sleep(_PAUSE_S)

    def _token(self) -> str:
        session = boto3.Session()
        credentials = session.get_credentials()
        assert credentials is not None  # a function always has its role's
        url = f"https://sts.{session.region_name}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
        request = AWSRequest("GET", url, headers={"x-k8s-aws-id": self._name})
        SigV4QueryAuth(credentials, "sts", session.region_name, expires=60).add_auth(request)
        return "k8s-aws-v1." + base64.urlsafe_b64encode(str(request.url).encode()).decode().rstrip("=")
