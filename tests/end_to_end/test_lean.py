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
def actions(stack: Stack) -> list[dict[str, Any]]:
    for symbol in SYMBOLS:
        drop(stack, f"hour/{symbol.lower()}.zip", LEAN / "hour" / f"{symbol.lower()}.zip")
    found = []
    for symbol in SYMBOLS:
        name = f"factor_files/{symbol.lower()}.csv"
        found += drop(stack, name, LEAN / name)["actions"]
    return found


def test_apples_four_splits_come_out_of_the_factor_file(actions: list[dict[str, Any]]) -> None:
    splits = {(a["symbol"], a["session"]): round(a["value"], 6) for a in actions if a["kind"] == "split"}
    assert {s: v for s, v in splits.items() if s[0] == "AAPL"} == {
        ("AAPL", "2000-06-21"): 2.0,
        ("AAPL", "2005-02-28"): 2.0,
        ("AAPL", "2014-06-09"): 7.0,
        ("AAPL", "2020-08-31"): 4.0,
    }


def test_the_hourly_crossover_equals_the_oracle(stack: Stack, actions: list[dict[str, Any]]) -> None:
    alice = demo.client(stack, "alice")
    first, last = date(2013, 1, 2), date(2020, 12, 31)
    params = {"dataset": DATASET, "symbols": list(SYMBOLS), "start": first.isoformat(), "end": last.isoformat()}
    state = alice.wait(alice.submit(CROSSOVER, params)["job_id"], timeout_s=120)
    assert state["status"] == "COMPLETED", json.dumps(state["failure"])
    rows = expectation.lean_hours(LEAN / "hour", SYMBOLS, date(2012, 1, 3), last)
    splits, dividends = (expectation.actions(actions, kind) for kind in ("split", "dividend"))
    equity, fills = oracle.crossover(rows, first, splits, dividends)
    assert state["metrics"]["values"]["final_equity"] == pytest.approx(equity, rel=1e-9)
    assert state["metrics"]["values"]["trades"] == fills
