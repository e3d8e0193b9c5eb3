"""EKS bearer tokens: a presigned STS call that proves who we are; nothing is sent to make one."""

from __future__ import annotations

import base64

import boto3
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from backtest.errors import PlatformError

SECONDS = 60


def cluster_token(cluster_name: str, region: str) -> str:
    """Return a bearer token for the cluster, good for `SECONDS` seconds."""
    credentials = boto3.Session().get_credentials()
    if credentials is None:
        raise PlatformError("no AWS credentials to sign a cluster token with")
    url = f"https://sts.{region}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", url, headers={"x-k8s-aws-id": cluster_name})
    SigV4QueryAuth(credentials.get_frozen_credentials(), "sts", region, expires=SECONDS).add_auth(request)
    signed = base64.urlsafe_b64encode(str(request.url).encode()).decode()
    return f"k8s-aws-v1.{signed.rstrip('=')}"
