"""An operator names and withdraws a snapshot, through the API, under the template's roles."""

from __future__ import annotations

import pyarrow as pa
import pytest

from infra.local import demo
from infra.local.stack import Stack
from tapedeck.client import ApiError

DATASET = "equities-1d-withdrawn"
HEADER = "symbol,date,open,high,low,close,volume\n"


def zstandard(text: str) -> bytes:
    return bytes(pa.compress(text.encode(), "zstd", asbytes=True))


def drop(stack: Stack, name: str, price: int) -> str:
    """Drop a vendor's file as the data owner; return the snapshot that it became."""
    s3, bucket, key = stack.client("s3", "dana"), stack.bucket("VendorDrop"), f"incoming/{DATASET}/{name}"
    row = f"A,2020-01-02,{price},{price},{price},{price},5\n"
    body = (
        zstandard(HEADER + row) if name.endswith(".zst") else "A\n" if name.startswith("universes/") else HEADER + row
    )
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    told = demo.answer(s3, bucket, f"status/{key}.json", "INGESTED", stack.logs_dir / "ingest.log")
    return str(told["snapshot"])


def test_a_bad_snapshot_is_withdrawn_by_an_operator_and_by_nobody_else(stack: Stack) -> None:
    alice, otto = demo.client(stack, "alice"), demo.client(stack, "otto")
    good, bad = drop(stack, "good.csv", 1), drop(stack, "bad.csv", 100)
    for act in (alice.withdraw_snapshot, alice.name_snapshot):
        with pytest.raises(ApiError) as refused:
            act(bad, "because")
        assert refused.value.error["code"] == "OPERATORS_ONLY"
    assert otto.name_snapshot(good, "golden", dataset=DATASET)["name"] == "golden"
    assert otto.withdraw_snapshot(bad, "in cents", dataset=DATASET)["withdrawn_reason"] == "in cents"
    listed = [(one["id"], one["name"], one["withdrawn_at"] is None) for one in alice.snapshots(DATASET)]
    assert listed == [(bad, None, False), (good, "golden", True)]
    told = alice.snapshot(bad[:12], dataset=DATASET, diff="golden")["diff"]
    assert told["symbols"]["A"]["months"]["changed"] == ["2020-01"]
    (newest,) = [one for one in alice._json("GET", "/v1/datasets")["datasets"] if one["dataset"] == DATASET]
    assert newest["id"] == good
    assert drop(stack, "again.csv.zst", 1) == good  # built on what was not withdrawn: nothing is new


def test_a_data_owner_drops_a_universe_and_a_researcher_sees_it(stack: Stack) -> None:
    alice = demo.client(stack, "alice")
    drop(stack, "bars.csv", 1)
    made = drop(stack, "universes/all-of-one.csv", 1)
    assert alice.snapshot("latest", dataset=DATASET)["id"] == made
    assert alice.snapshot(made, dataset=DATASET)["universes"] == {"all-of-one": 1}
    assert alice.universe("latest", "all-of-one", dataset=DATASET) == ["A"]
