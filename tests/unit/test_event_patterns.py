"""Event patterns and the two shapes of an object's event."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.events import Router
from infra.local.object_events import ObjectEvent
from infra.local.patterns import UnknownPatternError, compiled
from infra.local.wires import BucketNotification, EventRule

EVENT = ObjectEvent(
    name="ObjectCreated:Put",
    bucket="runs",
    key="runs/1/1/events/00000001.json",
    size=12,
    etag="d41d8",
    version_id="v1",
    sequencer="001",
    principal_id="AWS:AROAX:alice",
    account="123456789012",
    region="us-east-1",
    source_ip="127.0.0.1",
    request_id="ABCDEF",
    time=1_700_000_000.25,
)


@pytest.mark.parametrize(
    ("matcher", "value", "expected"),
    [
        ("a", "a", True),
        ("a", "A", False),
        (1, 1.0, True),
        (1, True, False),
        (None, None, True),
        (True, True, True),
        ({"prefix": "ru"}, "runs", True),
        ({"prefix": "ru"}, "uru", False),
        ({"prefix": {"equals-ignore-case": "RU"}}, "runs", True),
        ({"suffix": ".json"}, "a.json", True),
        ({"suffix": ".json"}, 7, False),
        ({"anything-but": "a"}, "b", True),
        ({"anything-but": ["a", "b"]}, "b", False),
        ({"anything-but": {"prefix": "a"}}, "ab", False),
        ({"anything-but": {"wildcard": ["*/x", "*/y"]}}, "1/y", False),
        ({"anything-but": {"suffix": "a"}}, "ab", True),
        ({"exists": True}, "a", True),
        ({"exists": False}, "a", False),
        ({"numeric": [">", 0, "<=", 5]}, 5, True),
        ({"numeric": [">", 0, "<=", 5]}, 5.1, False),
        ({"numeric": ["=", 1]}, "1", False),
        ({"equals-ignore-case": "ALICE"}, "alice", True),
        ({"wildcard": "runs/*/events/*.json"}, "runs/1/1/events/1.json", True),
        ({"wildcard": "runs/*/result.json"}, "runs/1/1/result.jsonl", False),
        ({"wildcard": "a\\*b.c"}, "a*b.c", True),
        ({"wildcard": "a.c"}, "abc", False),
        ("a", ["b", "a"], True),
    ],
)
def test_each_matcher_matches_what_eventbridge_says(matcher: Any, value: Any, expected: bool):
    assert compiled({"detail": {"x": [matcher]}})({"detail": {"x": value}}) is expected


def test_what_is_absent_matches_only_exists_false():
    assert compiled({"detail": {"x": [{"exists": False}]}})({"detail": {}})
    assert compiled({"detail": {"x": [{"exists": False}]}})({})
    assert not compiled({"detail": {"x": [{"anything-but": "a"}]}})({"detail": {}})
    assert not compiled({"x": [None]})({})


def test_every_field_must_match_and_one_value_of_it_suffices():
    matches = compiled({"source": ["aws.s3"], "detail": {"bucket": {"name": ["runs", "other"]}}})
    assert matches({"source": "aws.s3", "detail": {"bucket": {"name": "other"}}, "more": 1})
    assert not matches({"source": "aws.ec2", "detail": {"bucket": {"name": "runs"}}})
    assert not matches({"source": "aws.s3", "detail": "runs"})


@pytest.mark.parametrize(
    "pattern",
    [
        {"$or": [{"a": [1]}, {"b": [1]}]},
        {"a": [{"cidr": "10.0.0.0/8"}]},
        {"a": [{"numeric": ["!=", 1]}]},
        {"a": [{"prefix": "a", "suffix": "b"}]},
        {"a": "text"},
        {"a": []},
        {"a": [{"anything-but": {"sounds-like": "a"}}]},
        {"a": [{"wildcard": "a\\"}]},
    ],
)
def test_what_the_router_does_not_know_raises_when_it_is_registered(pattern: dict[str, Any]):
    with pytest.raises(UnknownPatternError):
        compiled(pattern)


@given(st.text(alphabet="ab*/.", max_size=8), st.text(alphabet="ab/.", max_size=8))
def test_a_wildcard_agrees_with_the_same_text_cut_at_its_stars(pattern: str, value: str):
    def agrees(parts: list[str], rest: str) -> bool:
        if len(parts) == 1:
            return rest == parts[0]
        tails = (rest[at + len(parts[1]) :] for at in range(len(rest) + 1) if rest.startswith(parts[1], at))
        return any(agrees(["", *parts[2:]], t) if len(parts) > 2 else t == "" for t in tails)

    head, *tail = pattern.split("*")
    expected = value.startswith(head) and (agrees(["", *tail], value[len(head) :]) if tail else value == head)
    assert compiled({"k": [{"wildcard": pattern}]})({"k": value}) is expected


def routed(event: ObjectEvent, notifications: Any = (), rules: Any = ()) -> list[tuple[str, dict[str, Any]]]:
    sent: list[tuple[str, dict[str, Any]]] = []
    Router(notifications, rules, lambda queue, body: sent.append((queue, json.loads(body)))).emit(event)
    return sent


def test_a_native_notification_says_who_put_the_object():
    wire = BucketNotification("upload", "arn:q", ("s3:ObjectCreated:*",), "incoming/", ".py")
    key = "incoming/AROAX:alice/my strategy+é.py"
    ((queue, body),) = routed(replace(EVENT, bucket="upload", key=key), [wire])
    (record,) = body["Records"]
    assert queue == "arn:q"
    assert record["s3"]["object"]["key"] == "incoming/AROAX%3Aalice/my+strategy%2B%C3%A9.py"
    assert unquote_plus(record["s3"]["object"]["key"]) == key
    assert record["userIdentity"] == {"principalId": "AWS:AROAX:alice"}
    assert record["eventTime"] == "2023-11-14T22:13:20.250Z"
    assert (record["eventVersion"], record["eventSource"], record["eventName"]) == (
        "2.1",
        "aws:s3",
        "ObjectCreated:Put",
    )
    assert record["s3"]["bucket"]["arn"] == "arn:aws:s3:::upload"
    assert record["s3"]["object"]["versionId"] == "v1"


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"events": ("s3:ObjectCreated:Put",)}, 1),
        ({"events": ("s3:ObjectCreated:Copy", "s3:ObjectRemoved:*")}, 0),
        ({"bucket": "other"}, 0),
        ({"prefix": "status/"}, 0),
        ({"suffix": ".ipynb"}, 0),
        ({"prefix": "", "suffix": ""}, 1),
    ],
)
def test_a_notification_filters_by_bucket_event_prefix_and_suffix(change: dict[str, Any], wanted: int):
    wire = BucketNotification("runs", "arn:q", ("s3:ObjectCreated:*",), "runs/", ".json")
    assert len(routed(EVENT, [replace(wire, **change)])) == wanted


def test_a_rule_sends_eventbridges_event_as_it_is():
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["runs"]}, "object": {"key": [{"wildcard": "runs/*/events/*.json"}]}},
    }
    ((queue, body),) = routed(EVENT, rules=[EventRule("arn:rule", pattern, ("arn:q",))])
    assert queue == "arn:q"
    assert body["detail"] == {
        "version": "0",
        "bucket": {"name": "runs"},
        "object": {"key": EVENT.key, "size": 12, "etag": "d41d8", "version-id": "v1", "sequencer": "001"},
        "request-id": "ABCDEF",
        "requester": "123456789012",
        "source-ip-address": "127.0.0.1",
        "reason": "PutObject",
    }
    assert (body["account"], body["time"], body["resources"]) == (
        "123456789012",
        "2023-11-14T22:13:20Z",
        ["arn:aws:s3:::runs"],
    )
    assert routed(replace(EVENT, key="runs/1/1/result.json"), rules=[EventRule("arn:rule", pattern, ("arn:q",))]) == []
    assert routed(replace(EVENT, name="ObjectRemoved:Delete"), rules=[EventRule("arn:rule", pattern, ("arn:q",))]) == []


def test_a_removal_says_what_kind_it_was():
    pattern = {"detail-type": ["Object Deleted"]}
    gone = replace(EVENT, name="ObjectRemoved:DeleteMarkerCreated", size=None, etag=None)
    ((_, body),) = routed(gone, rules=[EventRule("arn:rule", pattern, ("arn:q",))])
    assert body["detail"]["deletion-type"] == "Delete Marker Created"
    assert "size" not in body["detail"]["object"]


def test_every_notified_queue_hears_a_test_message_first():
    sent: list[str] = []
    wire = BucketNotification("upload", "arn:q", ("s3:ObjectCreated:*",), "", "")
    Router([wire], [], lambda _, body: sent.append(body)).announce()
    assert json.loads(sent[0])["Event"] == "s3:TestEvent"
    assert "Records" not in json.loads(sent[0])
