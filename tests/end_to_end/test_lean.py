"""Real hourly bars of two decades, with splits and dividends, through the whole platform."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from infra.local import demo
from infra.local.stack import Stack
from tests import oracle
from tests.end_to_end import expectation

LEAN = Path(__file__).resolve().parents[3] / "shared" / "data" / "lean" / "equity" / "usa"
SYMBOLS = ("AAPL", "SPY")
DATASET = "equities-1h"
CROSSOVER = Path(__file__).resolve().parents[2] / "examples" / "crossover.py"

pytestmark = pytest.mark.skipif(not LEAN.is_dir(), reason="needs LEAN's sample data beside the checkout")


def drop(stack: Stack, name: str, path: Path) -> dict[str, Any]:
    s3, bucket = stack.client("s3", "dana"), stack.bucket("VendorDrop")
    key = f"incoming/{DATASET}/{name}"
    s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    return demo.answer(s3, bucket, f"status/{key}.json", "INGESTED", stack.logs_dir / "ingest.log")


@pytest.fixture(scope="module")
def actions(stack: Stack) -> dict[str, list[oracle.Action]]:
    for symbol in SYMBOLS:
        drop(stack, f"hour/{symbol.lower()}.zip", LEAN / "hour" / f"{symbol.lower()}.zip")
    found: dict[str, list[oracle.Action]] = {"splits": [], "dividends": []}
    for symbol in SYMBOLS:
        name = f"factor_files/{symbol.lower()}.csv"
        report = drop(stack, name, LEAN / name)
        found["splits"] += expectation.splits(report)
        found["dividends"] += expectation.dividends(report)
    return found


def test_apples_four_splits_come_out_of_the_factor_file(actions: dict[str, list[oracle.Action]]) -> None:
    assert [(day, round(ratio, 6)) for symbol, day, ratio in sorted(actions["splits"]) if symbol == "AAPL"] == [
        (date(2000, 6, 21), 2.0),
        (date(2005, 2, 28), 2.0),
        (date(2014, 6, 9), 7.0),
        (date(2020, 8, 31), 4.0),
    ]


def test_the_hourly_crossover_equals_the_oracle(stack: Stack, actions: dict[str, list[oracle.Action]]) -> None:
    alice = demo.client(stack, "alice")
    first, last = date(2013, 1, 2), date(2020, 12, 31)
    params = {"dataset": DATASET, "symbols": list(SYMBOLS), "start": first.isoformat(), "end": last.isoformat()}
    state = alice.wait(alice.submit(CROSSOVER, params)["job_id"], timeout_s=120)
    assert state["status"] == "COMPLETED", json.dumps(state["failure"])
    rows = expectation.lean_hours(LEAN / "hour", SYMBOLS, date(2012, 1, 3), last)
    equity, fills = oracle.crossover(rows, first, actions["splits"], actions["dividends"])
    assert state["metrics"]["values"]["final_equity"] == pytest.approx(equity, rel=1e-9)
    assert state["metrics"]["values"]["trades"] == fills
