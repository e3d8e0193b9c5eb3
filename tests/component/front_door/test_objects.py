"""Objects through the front door: stored as they came, each told of once, with who put it."""

from __future__ import annotations

import pytest
import urllib3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.local.iam import Principal
from tests.component.front_door.stack import REGION, LocalAws, code


@pytest.mark.parametrize("key", ["a/b.txt", "sp ace+plus%.txt", "ünïcode/=:@", "100%25", "a//b", "x?y&z"])
def test_objects_go_in_and_come_out_under_every_kind_of_key(aws: LocalAws, alice: Principal, key: str):
    s3 = aws.client("s3", alice)
    put = s3.put_object(Bucket="runs", Key=key, Body=b"first")
    assert s3.get_object(Bucket="runs", Key=key)["Body"].read() == b"first"
    assert s3.head_object(Bucket="runs", Key=key)["ContentLength"] == 5
    listed = s3.list_objects_v2(Bucket="runs", Prefix=key)["Contents"]
    assert [o["Key"] for o in listed] == [key]
    s3.put_object(Bucket="runs", Key=key, Body=b"second")
    assert s3.get_object(Bucket="runs", Key=key, VersionId=put["VersionId"])["Body"].read() == b"first"
    assert [e.key for e in aws.events] == [key, key]
    assert {c.resource for c in aws.calls} == {f"arn:aws:s3:::runs/{key}", "arn:aws:s3:::runs"}


def test_a_put_tells_its_event_with_the_principal_and_a_growing_sequencer(aws: LocalAws, alice: Principal):
    s3 = aws.client("s3", alice)
    puts = [s3.put_object(Bucket="runs", Key="one", Body=b"12345") for _ in range(3)]
    event = aws.events[0]
    assert (event.name, event.bucket, event.key, event.size) == ("ObjectCreated:Put", "runs", "one", 5)
    assert event.principal_id == f"AWS:{alice.user_id}"
    assert (event.etag, event.version_id) == (puts[0]["ETag"].strip('"'), puts[0]["VersionId"])
    sequence = [e.sequencer for e in aws.events]
    assert sequence == sorted(sequence)
    assert len(set(sequence)) == 3


def test_copies_and_multipart_uploads_tell_one_event_with_the_whole_size(aws: LocalAws, alice: Principal):
    s3 = aws.client("s3", alice)
    s3.put_object(Bucket="runs", Key="from here", Body=b"x" * 10)
    s3.copy_object(Bucket="runs", Key="to", CopySource={"Bucket": "runs", "Key": "from here"})
    upload = s3.create_multipart_upload(Bucket="runs", Key="big")["UploadId"]
    parts = []
    for number, body in ((1, b"a" * 5_242_880), (2, b"b" * 7)):
        tag = s3.upload_part(Bucket="runs", Key="big", UploadId=upload, PartNumber=number, Body=body)["ETag"]
        parts.append({"PartNumber": number, "ETag": tag})
    done = s3.complete_multipart_upload(Bucket="runs", Key="big", UploadId=upload, MultipartUpload={"Parts": parts})
    assert [(e.name, e.key, e.size) for e in aws.events] == [
        ("ObjectCreated:Put", "from here", 10),
        ("ObjectCreated:Copy", "to", 10),
        ("ObjectCreated:CompleteMultipartUpload", "big", 5_242_887),
    ]
    assert aws.events[-1].etag == done["ETag"].strip('"')
    assert aws.events[-1].version_id == done["VersionId"]


def test_deletes_tell_whether_a_marker_was_made(aws: LocalAws):
    s3 = aws.client("s3")
    version = s3.put_object(Bucket="runs", Key="gone", Body=b"")["VersionId"]
    s3.delete_object(Bucket="runs", Key="gone")
    s3.delete_object(Bucket="runs", Key="gone", VersionId=version)
    s3.put_object(Bucket="runs", Key="too", Body=b"")
    s3.delete_objects(Bucket="runs", Delete={"Objects": [{"Key": "too"}]})
    assert [(e.name, e.key) for e in aws.events if "Removed" in e.name] == [
        ("ObjectRemoved:DeleteMarkerCreated", "gone"),
        ("ObjectRemoved:Delete", "gone"),
        ("ObjectRemoved:DeleteMarkerCreated", "too"),
    ]


def test_a_conditional_put_that_loses_tells_nothing(aws: LocalAws, alice: Principal):
    s3 = aws.client("s3", alice)
    s3.put_object(Bucket="runs", Key="once", Body=b"1", IfNoneMatch="*")
    assert code(s3.put_object, Bucket="runs", Key="once", Body=b"2", IfNoneMatch="*") == (412, "PreconditionFailed")
    assert len(aws.events) == 1


def test_a_body_in_chunks_with_a_trailing_checksum_is_stored_as_it_was(aws: LocalAws, alice: Principal):
    raw = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"

    def put(body: bytes) -> int:
        headers = {
            "Content-Encoding": "aws-chunked",
            "X-Amz-Decoded-Content-Length": "11",
            "X-Amz-Trailer": "x-amz-checksum-crc32",
        }
        request = AWSRequest("PUT", f"{aws.url}/runs/chunked", headers, body)
        request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
        S3SigV4Auth(Credentials(alice.access_key, alice.secret_key, alice.token), "s3", REGION).add_auth(request)
        return urllib3.request("PUT", request.url, headers=dict(request.headers.items()), body=body).status

    assert put(raw) == 200
    got = aws.client("s3", alice).get_object(Bucket="runs", Key="chunked")
    assert got["Body"].read() == b"hello world"
    assert got.get("ContentEncoding") in (None, "")
    assert aws.events[0].size == 11
    assert put(raw.replace(b"world", b"w0rld")) == 400


def test_presigned_urls_work_for_what_their_signer_may(aws: LocalAws, alice: Principal):
    s3 = aws.client("s3", alice, signature_version="s3v4")
    url = s3.generate_presigned_url("put_object", {"Bucket": "runs", "Key": "pre signed"}, ExpiresIn=60)
    # What looks like a request to another service, unsigned as it is to moto, stays an object.
    body, form = b"Action=ListQueues&Version=2012-11-05", {"Content-Type": "application/x-www-form-urlencoded"}
    assert urllib3.request("PUT", url, body=body, headers=form).status == 200
    url = s3.generate_presigned_url("get_object", {"Bucket": "runs", "Key": "pre signed"}, ExpiresIn=60)
    assert urllib3.request("GET", url).data.startswith(b"Action")
    denied = s3.generate_presigned_url("get_object", {"Bucket": "vendor", "Key": "k"}, ExpiresIn=60)
    assert urllib3.request("GET", denied).status == 403
    assert aws.events[0].principal_id == f"AWS:{alice.user_id}"


def test_a_body_that_was_changed_on_its_way_is_not_stored(aws: LocalAws, alice: Principal):
    request = AWSRequest("PUT", f"{aws.url}/runs/tampered", data=b"bought")
    S3SigV4Auth(Credentials(alice.access_key, alice.secret_key, alice.token), "s3", REGION).add_auth(request)
    answer = urllib3.request("PUT", request.url, headers=dict(request.headers.items()), body=b"sold!!")
    assert (answer.status, b"SignatureDoesNotMatch" in answer.data) == (403, True)
    assert aws.events == []
