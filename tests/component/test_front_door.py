"""Real clients against the front door: who gets in, with what, and what is told of it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import urllib3
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from infra.local.iam import Principal, user
from tests.component.front_door_stack import ACCOUNT, REGION, LocalAws, allow, local_aws, policy

OBJECTS = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]


@pytest.fixture(scope="module")
def running() -> Iterator[LocalAws]:
    with local_aws() as aws:
        s3 = aws.client("s3")
        for bucket in ("runs", "vendor", "upload"):
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        aws.client("sqs").create_queue(QueueName="tasks")
        yield aws


@pytest.fixture
def aws(running: LocalAws) -> LocalAws:
    running.calls.clear()
    running.events.clear()
    return running


@pytest.fixture
def alice(aws: LocalAws) -> Principal:
    return aws.session(allow(OBJECTS, "arn:aws:s3:::runs/*"), allow("s3:ListBucket", "arn:aws:s3:::runs"))


def code(call: Any, *args: Any, **options: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as refused:
        call(*args, **options)
    answer = refused.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


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


def test_what_is_not_allowed_is_refused_recorded_and_tells_nothing(aws: LocalAws, alice: Principal):
    s3 = aws.client("s3", alice)
    assert code(s3.put_object, Bucket="vendor", Key="prices.csv", Body=b"1") == (403, "AccessDenied")
    assert code(s3.list_objects_v2, Bucket="vendor") == (403, "AccessDenied")
    assert code(s3.delete_bucket, Bucket="runs") == (403, "AccessDenied")
    stolen = {"Bucket": "vendor", "Key": "prices.csv"}
    assert code(s3.copy_object, Bucket="runs", Key="copy", CopySource=stolen) == (403, "AccessDenied")
    assert aws.events == []
    assert [(c.action, c.resource, c.allowed) for c in aws.calls[:1]] == [
        ("s3:PutObject", "arn:aws:s3:::vendor/prices.csv", False)
    ]
    assert {c.role for c in aws.calls} == {f"arn:aws:iam::{ACCOUNT}:role/Researcher"}


def test_ones_own_prefix_is_bound_to_the_user_id(aws: LocalAws):
    rule = allow("s3:PutObject", "arn:aws:s3:::upload/incoming/${aws:userid}/*")
    alice, bob = aws.session(rule, name="alice"), aws.session(rule, name="bob")
    key = f"incoming/{alice.user_id}/strategy.py"
    assert aws.client("s3", alice).put_object(Bucket="upload", Key=key, Body=b"")
    assert code(aws.client("s3", bob).put_object, Bucket="upload", Key=key, Body=b"") == (403, "AccessDenied")


def test_listing_is_allowed_by_prefix(aws: LocalAws):
    rule = allow("s3:ListBucket", "arn:aws:s3:::runs", Condition={"StringLike": {"s3:prefix": "reports/*"}})
    s3 = aws.client("s3", aws.session(rule))
    assert s3.list_objects_v2(Bucket="runs", Prefix="reports/1")["KeyCount"] == 0
    assert code(s3.list_objects_v2, Bucket="runs", Prefix="code/") == (403, "AccessDenied")
    assert code(s3.list_objects_v2, Bucket="runs") == (403, "AccessDenied")


def test_a_missing_key_is_a_404_only_for_who_may_list(aws: LocalAws, alice: Principal):
    blind = aws.session(allow("s3:GetObject", "arn:aws:s3:::runs/*"))
    assert code(aws.client("s3", blind).head_object, Bucket="runs", Key="none")[0] == 403
    assert code(aws.client("s3", blind).get_object, Bucket="runs", Key="none") == (403, "AccessDenied")
    assert code(aws.client("s3", alice).head_object, Bucket="runs", Key="none")[0] == 404
    assert code(aws.client("s3", alice).get_object, Bucket="runs", Key="none") == (404, "NoSuchKey")


def test_what_is_recorded_holds_no_secret_and_nothing_of_the_moment(aws: LocalAws, alice: Principal):
    s3 = aws.client("s3", alice)
    s3.put_object(Bucket="runs", Key="same", Body=b"1", StorageClass="STANDARD_IA")
    s3.put_object(Bucket="runs", Key="same", Body=b"2", StorageClass="STANDARD_IA")
    first, second = aws.calls
    assert first == second
    assert first.context == {"s3:x-amz-storage-class": "STANDARD_IA", "s3:authtype": "REST-HEADER"}


def test_queues_are_allowed_by_their_arn(aws: LocalAws):
    url = aws.client("sqs").get_queue_url(QueueName="tasks")["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:tasks"
    sqs = aws.client("sqs", aws.session(allow(["sqs:SendMessage", "sqs:ReceiveMessage"], arn)))
    sqs.send_message(QueueUrl=url, MessageBody="1")
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "2"}])
    message = sqs.receive_message(QueueUrl=url)["Messages"][0]
    refused = code(sqs.delete_message, QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert refused == (403, "AccessDeniedException")
    assert [(c.action, c.resource, c.allowed) for c in aws.calls if c.role] == [
        ("sqs:SendMessage", arn, True),
        ("sqs:SendMessage", arn, True),
        ("sqs:ReceiveMessage", arn, True),
        ("sqs:DeleteMessage", arn, False),
    ]


def test_secrets_keys_and_metrics_are_known_too(aws: LocalAws):
    secret = aws.client("secretsmanager").create_secret(Name="db", SecretString="{}")["ARN"]
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    in_namespace = {"StringEquals": {"cloudwatch:namespace": "Tapedeck"}}
    who = aws.session(
        allow("secretsmanager:GetSecretValue", secret),
        allow("kms:GenerateDataKey", key),
        allow("cloudwatch:PutMetricData", Condition=in_namespace),
    )
    assert aws.client("secretsmanager", who).get_secret_value(SecretId=secret)["SecretString"] == "{}"
    assert aws.client("kms", who).generate_data_key(KeyId=key, KeySpec="AES_256")["KeyId"] == key
    assert code(aws.client("kms", who).decrypt, KeyId=key, CiphertextBlob=b"x") == (403, "AccessDeniedException")
    metrics = aws.client("cloudwatch", who)
    metrics.put_metric_data(Namespace="Tapedeck", MetricData=[{"MetricName": "a", "Value": 1.0}])
    other = code(metrics.put_metric_data, Namespace="Other", MetricData=[{"MetricName": "a", "Value": 1.0}])
    assert other == (403, "AccessDeniedException")


def test_an_unknown_service_is_refused_by_name_except_for_the_root(aws: LocalAws, alice: Principal):
    assert code(aws.client("dynamodb", alice).list_tables) == (501, "NotImplemented")
    assert aws.client("dynamodb").list_tables()["TableNames"] == []


def test_motos_own_pages_are_not_reachable(aws: LocalAws):
    for path in ("/moto-api/reset", "/moto-api/data.json", "/latest/meta-data/"):
        assert urllib3.request("POST", aws.url + path).status == 403
    assert code(aws.client("s3").get_object, Bucket="moto-api", Key="data.json")[0] == 501
    sender = aws.session(allow("sqs:SendMessage"))
    body = b'{"QueueUrl": "http://127.0.0.1/1/tasks", "MessageBody": "1"}'
    names = {"X-Amz-Target": "AmazonSQS.SendMessage", "Content-Type": "application/x-amz-json-1.0"}
    for path, status in (("/moto-api/reset", 501), ("/tasks", 400)):
        request = AWSRequest("POST", aws.url + path, names, body)
        SigV4Auth(Credentials(sender.access_key, sender.secret_key, sender.token), "sqs", REGION).add_auth(request)
        answer = urllib3.request("POST", request.url, headers=dict(request.headers.items()), body=body)
        assert answer.status == status
    assert aws.client("s3").list_buckets()["Buckets"]


def signed_get(aws: LocalAws, who: Principal, service: str, **headers: str) -> AWSRequest:
    path = "/runs/one" if service == "s3" else "/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", aws.url + path, headers)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(Credentials(who.access_key, who.secret_key, who.token), service, REGION).add_auth(request)
    return request


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("s3", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"]),
        ("sts", ["MissingAuthenticationToken", "InvalidClientTokenId", "SignatureDoesNotMatch", "RequestExpired"]),
    ],
)
def test_each_fault_has_the_code_of_its_service(
    aws: LocalAws, alice: Principal, service: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
):
    def asked(request: AWSRequest, **changes: str) -> tuple[int, str]:
        headers = {k: v for k, v in {**dict(request.headers.items()), **changes}.items() if v}
        answer = urllib3.request("GET", request.url, headers=headers)
        return answer.status, answer.data.decode().partition("<Code>")[2].partition("</Code>")[0]

    good = signed_get(aws, alice, service)
    late = signed_get(aws, alice, service)
    stranger = signed_get(aws, user(ACCOUNT, "mallory"), service)
    answers = [asked(good, Authorization=""), asked(stranger), asked(good, **{"X-Amz-Security-Token": ""})]
    monkeypatch.setattr("infra.local.sigv4.SKEW", -1)
    answers.append(asked(late))
    assert answers == [(403, name) for name in expected]


def test_a_body_that_was_changed_on_its_way_is_not_stored(aws: LocalAws, alice: Principal):
    request = AWSRequest("PUT", f"{aws.url}/runs/tampered", data=b"bought")
    S3SigV4Auth(Credentials(alice.access_key, alice.secret_key, alice.token), "s3", REGION).add_auth(request)
    answer = urllib3.request("PUT", request.url, headers=dict(request.headers.items()), body=b"sold!!")
    assert (answer.status, b"SignatureDoesNotMatch" in answer.data) == (403, True)
    assert aws.events == []


def test_assuming_a_role_gives_a_session_that_its_policy_narrows(aws: LocalAws):
    who = aws.session(allow("sts:AssumeRole"), role="Credentials", name="function")
    aws.session(allow(OBJECTS, "arn:aws:s3:::runs/*"), role="Runner")
    narrow = policy(allow("s3:PutObject", "arn:aws:s3:::runs/job/1/*"))
    arn = f"arn:aws:iam::{ACCOUNT}:role/Runner"
    made = aws.client("sts", who).assume_role(
        RoleArn=arn, RoleSessionName="bt-job-1", Policy=json.dumps(narrow), DurationSeconds=3600
    )["Credentials"]
    s3 = boto3.client(
        "s3",
        region_name=REGION,
        endpoint_url=aws.url,
        aws_access_key_id=made["AccessKeyId"],
        aws_secret_access_key=made["SecretAccessKey"],
        aws_session_token=made["SessionToken"],
    )
    s3.put_object(Bucket="runs", Key="job/1/result.json", Body=b"{}")
    assert code(s3.put_object, Bucket="runs", Key="job/2/result.json", Body=b"{}") == (403, "AccessDenied")
    assert code(s3.get_object, Bucket="runs", Key="job/1/result.json") == (403, "AccessDenied")
    assert ("sts:AssumeRole", arn, True) in {(c.action, c.resource, c.allowed) for c in aws.calls}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"DurationSeconds": 7200}, (400, "ValidationError")),
        ({"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/None"}, (403, "AccessDenied")),
        ({"Policy": "{}"}, (400, "ValidationError")),
        ({"Tags": [{"Key": "a", "Value": "b"}]}, (501, "NotImplemented")),
    ],
)
def test_what_assume_role_cannot_do_is_said(aws: LocalAws, change: dict[str, Any], expected: tuple[int, str]):
    sts = aws.client("sts", aws.session(allow("sts:AssumeRole")))
    call = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/Researcher", "RoleSessionName": "alice", **change}
    assert code(sts.assume_role, **call) == expected


def test_a_caller_learns_who_he_is(aws: LocalAws, alice: Principal):
    answer = aws.client("sts", alice).get_caller_identity()
    assert (answer["Arn"], answer["UserId"], answer["Account"]) == (alice.arn, alice.user_id, ACCOUNT)


def test_a_cluster_learns_the_caller_from_a_presigned_url_replayed_with_its_host(aws: LocalAws, alice: Principal):
    host = f"sts.{REGION}.amazonaws.com"
    url = f"https://{host}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", url, {"x-k8s-aws-id": "tapedeck"})
    SigV4QueryAuth(Credentials(alice.access_key, alice.secret_key, alice.token), "sts", REGION, 60).add_auth(request)

    def replay(cluster: str) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=10)
        headers = {"Host": host, "x-k8s-aws-id": cluster, "Accept": "application/json"}
        connection.request("GET", "/?" + urlsplit(request.url).query, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, json.loads(body) if answer.status == 200 else {}

    status, body = replay("tapedeck")
    assert status == 200
    assert body["GetCallerIdentityResponse"]["GetCallerIdentityResult"]["Arn"] == alice.arn
    assert replay("another") == (403, {})
