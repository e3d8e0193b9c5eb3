"""A drop that outlasts its function's time is taken in all the same, by the next calls, with the template's rights."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from infra.local.stack import Stack

KEY = "incoming/equities-1m-long/long.csv"
TIMES = [datetime(2020, 1, 2, 9, 30) + timedelta(days=day, minutes=at) for day in range(8) for at in range(390)]
SYMBOLS = [f"S{number}" for number in range(60)]
CALL_S = 4.0  # a file with adjusted closes is read row by row: some 50,000 a second


def long_csv() -> bytes:
    lines = [f"{symbol},{at},10,10,10,10,5,10\n" for symbol in SYMBOLS for at in TIMES]
    return ("symbol,date,open,high,low,close,volume,adj_close\n" + "".join(lines)).encode()


def answers(s3: Any, bucket: str) -> list[dict[str, Any]]:
    """Return what was said of the drop, one after the other, until it was answered."""
    said: list[dict[str, Any]] = []
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            now = json.loads(s3.get_object(Bucket=bucket, Key=f"status/{KEY}.json")["Body"].read())
        except s3.exceptions.NoSuchKey:
            now = None
        if now and now not in said:
            said.append(now)
            if now["status"] != "UNDER_WAY":
                return said
        time.sleep(0.2)
    raise AssertionError(said)


def test_a_drop_that_outlasts_its_functions_time_is_taken_in_by_the_next_calls(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    (name,) = [name for name, one in stack.wires.functions.items() if one.handler == "functions.ingest.handler"]
    pool = stack._workers._pools[name]
    monkeypatch.setattr(pool, "function", replace(pool.function, timeout_s=CALL_S))
    s3, bucket = stack.client("s3", "dana"), stack.bucket("VendorDrop")
    s3.put_object(Bucket=bucket, Key=KEY, Body=long_csv())
    *before, answer = answers(s3, bucket)
    assert answer["status"] == "INGESTED", answer
    assert answer["rows"] + sum(answer["left_out"].values()) == len(TIMES) * len(SYMBOLS)
    assert before
    assert before[-1]["progress"]["calls"] >= len(before)
    role = stack.wires.functions[name].role_arn
    mine = [call for call in stack.calls() if call.role == role]
    assert [call for call in mine if not call.allowed] == []
    done = {(call.action, call.resource.rpartition(":::")[2].partition("/")[2].partition("/")[0]) for call in mine}
    assert {("s3:PutObject", "working"), ("s3:GetObject", "working"), ("s3:GetObjectVersion", "working")} <= done
    assert "sqs:SendMessage" in {call.action for call in mine}
