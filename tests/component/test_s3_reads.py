"""Reads by obstore answer as boto3's do, signed so that the front door lets them in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.credentials import Credentials
from obstore.exceptions import PermissionDeniedError

from tapedeck.market.s3_reads import S3Reads
from tapedeck.market.store import S3Store, get_all
from tapedeck.query import open_store
from tests.component.front_door.stack import REGION, LocalAws, allow, local_aws

KEY = "equities-1d/BRK.B/2004/01.parquet"


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as door:
        client = door.client("s3")
        client.create_bucket(Bucket="market")
        client.put_bucket_versioning(Bucket="market", VersioningConfiguration={"Status": "Enabled"})
        yield door


def reads(aws: LocalAws, *statements: dict[str, object], bucket: str = "market") -> S3Reads:
    who = aws.session(*statements, role="Cache") if statements else aws.admin
    credentials = Credentials(who.access_key, who.secret_key, who.token)
    return S3Reads(aws.client("s3", who), bucket, credentials, timeout_s=10, tries=2)


def test_an_object_and_its_versions_are_read_as_boto3_reads_them(aws: LocalAws) -> None:
    store = S3Store(aws.client("s3"), "market")
    first, second = store.put(KEY, b"first"), store.put(KEY, bytes(range(256)) * 400)
    allowed = allow(["s3:GetObject", "s3:GetObjectVersion"], "arn:aws:s3:::market/*"), allow("s3:ListBucket")
    fast = reads(aws, *allowed)
    for version in (None, first, second):
        assert fast.get(KEY, version) == store.get(KEY, version)
    wanted = [(KEY, None), ("equities-1d/NONE/2004/01.parquet", None), (KEY, first)] * 20
    assert list(get_all(fast, wanted)) == list(get_all(store, wanted))


def test_a_bucket_named_by_its_url_is_read_so(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    S3Store(aws.client("s3"), "market").put(KEY, b"body")
    told = {"ENDPOINT_URL": aws.url, "ACCESS_KEY_ID": aws.admin.access_key, "SECRET_ACCESS_KEY": aws.admin.secret_key}
    for name, value in {**told, "DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    store = open_store("s3://market")
    assert isinstance(store, S3Reads)
    assert store.get(KEY) == b"body"
    store.put("other", b"written")
    assert store.get("other") == b"written"


def test_what_is_not_there_is_a_key_error(aws: LocalAws) -> None:
    with pytest.raises(KeyError):
        reads(aws).get("equities-1d/NONE/2004/01.parquet")
    with pytest.raises(KeyError):
        reads(aws).get(KEY, "00000000-0000-0000-0000-000000000000")


def test_what_the_role_may_not_read_is_an_error_of_its_own(aws: LocalAws) -> None:
    with pytest.raises(PermissionDeniedError):
        reads(aws, allow("s3:GetObject", "arn:aws:s3:::market/other/*")).get(KEY)
