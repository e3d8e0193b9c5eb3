"""From a signed put to a message in a queue: by a native notification and by a rule."""

from __future__ import annotations

import json
from typing import Any

from infra.local.events import Router
from infra.local.wires import BucketNotification, EventRule
from tests.component.front_door.stack import ACCOUNT, REGION, allow, local_aws


def test_a_researchers_drop_reaches_its_queue_with_his_name_and_a_run_its_own_by_rule():
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:"
    pattern = {"detail": {"bucket": {"name": ["runs"]}, "object": {"key": [{"wildcard": "runs/*/result.json"}]}}}
    with local_aws() as aws:
        sqs, s3 = aws.client("sqs"), aws.client("s3")
        urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("uploads", "render_tasks")}
        for bucket in ("upload", "runs"):
            s3.create_bucket(Bucket=bucket)
        router = Router(
            [BucketNotification("upload", f"{arn}uploads", ("s3:ObjectCreated:*",), "incoming/", "")],
            [EventRule("arn:rule", pattern, (f"{arn}render_tasks",))],
            lambda queue, body: sqs.send_message(QueueUrl=urls[queue.rpartition(":")[2]], MessageBody=body),
        )
        alice = aws.session(allow("s3:PutObject", "arn:aws:s3:::upload/incoming/${aws:userid}/*"))
        key = f"incoming/{alice.user_id}/my strategy.py"
        aws.client("s3", alice).put_object(Bucket="upload", Key=key, Body=b"print()")
        s3.put_object(Bucket="upload", Key=f"status/{key}.json", Body=b"{}")
        s3.put_object(Bucket="runs", Key="runs/1/1/result.json", Body=b"{}")
        s3.put_object(Bucket="runs", Key="runs/1/1/log.jsonl", Body=b"{}")
        for event in aws.events:
            router.emit(event)

        def received(name: str) -> list[dict[str, Any]]:
            messages = sqs.receive_message(QueueUrl=urls[name], MaxNumberOfMessages=10).get("Messages", [])
            return [json.loads(m["Body"]) for m in messages]

        ((upload,), (run,)) = received("uploads"), received("render_tasks")
        assert upload["Records"][0]["userIdentity"]["principalId"] == f"AWS:{alice.user_id}"
        assert upload["Records"][0]["s3"]["object"]["size"] == 7
        assert run["detail"]["object"]["key"] == "runs/1/1/result.json"
