"""Pollers against moto inside of this process."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.local.queues import Poller, failures
from infra.local.wires import QueueMapping
from infra.local.workers import FunctionError


class Function:
    """Answers each batch by `answer` and keeps the bodies that it saw."""

    def __init__(self, answer: Callable[[list[dict[str, Any]]], Any]) -> None:
        self.answer = answer
        self.batches: list[list[str]] = []
        self.called = threading.Event()

    def __call__(self, name: str, event: Any) -> Any:
        self.batches.append([record["body"] for record in event["Records"]])
        self.records = event["Records"]
        self.called.set()
        return self.answer(event["Records"])


@pytest.fixture
def poll() -> Iterator[Callable[..., Any]]:
    """Put messages on a queue and poll it; gives the queue's client and URL once the function was called."""
    pollers: list[Poller] = []

    def run(bodies: list[str], function: Function, **options: Any) -> tuple[Any, str]:
        url = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "2"})["QueueUrl"]
        for body in bodies:
            sqs.send_message(QueueUrl=url, MessageBody=body)
        settings = {"batch_size": 10, "window_s": 0.0, "report_failures": True, "concurrency": 1, **options}
        mapping = QueueMapping("f", "arn:aws:sqs:us-east-1:123456789012:q", url, **settings)
        pollers.append(Poller(mapping, sqs, function, threads=1, long_poll_s=1))
        pollers[-1].start()
        assert function.called.wait(10)
        return sqs, url

    with mock_aws():
        sqs = boto3.client("sqs", region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s")
        yield run
        for poller in pollers:
            poller.stop()
            poller.join(15)


def left(sqs: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(count) for count in counts.values())


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not what():
        assert time.monotonic() < deadline, "it did not happen in 10 s"
        time.sleep(0.05)


def test_only_what_succeeded_is_deleted_and_the_rest_comes_again(poll: Callable[..., Any]) -> None:
    def answer(records: list[dict[str, Any]]) -> Any:
        bad = [r for r in records if r["body"] == "bad" and int(r["attributes"]["ApproximateReceiveCount"]) < 2]
        return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in bad]}

    function = Function(answer)
    sqs, url = poll(["good", "bad"], function)
    wait_for(lambda: left(sqs, url) == 0)
    seen = [body for batch in function.batches for body in batch]
    assert sorted(seen) == ["bad", "bad", "good"]


def test_a_failed_invocation_deletes_nothing(poll: Callable[..., Any]) -> None:
    def answer(records: list[dict[str, Any]]) -> Any:
        raise FunctionError("f", "ValueError", "no", Path("log"))

    sqs, url = poll(["one", "two"], Function(answer))
    time.sleep(0.3)
    assert left(sqs, url) == 2


def test_a_mapping_without_partial_batches_deletes_the_batch(poll: Callable[..., Any]) -> None:
    sqs, url = poll(["one"], Function(lambda records: {"batchItemFailures": "nonsense"}), report_failures=False)
    wait_for(lambda: left(sqs, url) == 0)


def test_a_batch_is_never_larger_than_the_mapping_allows(poll: Callable[..., Any]) -> None:
    function = Function(lambda records: None)
    sqs, url = poll([str(i) for i in range(7)], function, batch_size=3)
    wait_for(lambda: left(sqs, url) == 0)
    assert max(len(batch) for batch in function.batches) <= 3


def test_a_window_gathers_what_comes_within_it(poll: Callable[..., Any]) -> None:
    function = Function(lambda records: None)
    _, _ = poll([str(i) for i in range(15)], function, batch_size=20, window_s=1.0)
    assert len(function.batches[0]) == 15


def test_a_record_looks_like_the_ones_of_aws(poll: Callable[..., Any]) -> None:
    function = Function(lambda records: None)
    poll(["hello"], function)
    (record,) = function.records
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == "arn:aws:sqs:us-east-1:123456789012:q"
    assert record["awsRegion"] == "us-east-1"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": None}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a"}),
        ({"batchItemFailures": [{"itemIdentifier": "stranger"}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b"}),
        ({"batchItemFailures": [{"wrong": "a"}]}, {"a", "b"}),
        ("text", {"a", "b"}),
    ],
)
def test_an_answer_that_cannot_be_read_fails_the_whole_batch(answer: object, failed: set[str]) -> None:
    assert failures(answer, ["a", "b"]) == failed
