"""What a principal's policies allow goes through the front door; the rest is refused, and both are recorded."""

from __future__ import annotations

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.local.iam import Principal
from tests.component.front_door.stack import ACCOUNT, REGION, LocalAws, allow, code


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
