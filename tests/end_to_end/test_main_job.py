"""The main job by its effects: rows, objects, messages. One stack serves the whole module."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local import demo
from infra.local.stack import Stack
from infra.local.vendor_sample import vendor_csv
from run_objects import Event
from tapedeck.client import ApiError, Client
from tests import oracle
from tests.end_to_end import expectation
from tests.end_to_end.effects import CROSSOVER, ROOT, RUN_SECONDS, objects, read, row

NOTEBOOK = ROOT / "examples" / "momentum.ipynb"
METHOD = "def weights(self, bars):"


def variant(folder: Path, name: str, statement: str) -> Path:
    """Return the crossover with `statement` as the first of its method."""
    path = folder / name
    path.write_text(CROSSOVER.read_text().replace(METHOD, f"{METHOD}\n        {statement}"))
    return path


@pytest.fixture(scope="module")
def crossover(stack: Stack, alice: Client, ingested: dict[str, Any]) -> dict[str, Any]:
    job = alice.submit(CROSSOVER)
    assert job["status"] == "PENDING"
    return alice.wait(job["job_id"], timeout_s=RUN_SECONDS)


def test_a_vendor_file_becomes_months_and_a_snapshot(stack: Stack, ingested: dict[str, Any]) -> None:
    assert ingested["rows"] == 12154
    months = [k for k in objects(stack, "Market", "equities-1d/AAPL/") if k.endswith(".parquet")]
    assert len(months) == 157  # March 2000 to March 2013
    assert row(stack, "select dataset from snapshots where id = %s", ingested["snapshot"]) == ("equities-1d",)


def test_apples_split_of_2005_is_found_and_reported(ingested: dict[str, Any]) -> None:
    assert sorted(expectation.splits(ingested)) == [
        ("AAPL", date(2000, 6, 21), 2.0),
        ("AAPL", date(2005, 2, 28), 2.0),
        ("MSFT", date(2003, 2, 18), 2.0),
    ]


def test_the_run_completes_with_the_oracles_equity_and_trades(
    crossover: dict[str, Any], ingested: dict[str, Any]
) -> None:
    assert crossover["status"] == "COMPLETED", crossover["failure"]
    rows = expectation.bokeh(vendor_csv(), ("AAPL", "IBM", "MSFT"), date(2012, 12, 31))
    actions = expectation.splits(ingested), expectation.dividends(ingested)
    equity, fills = oracle.crossover(rows, date(2004, 1, 2), *actions)
    values = crossover["metrics"]["values"]
    assert values["final_equity"] == pytest.approx(equity, rel=1e-9)
    assert values["trades"] == fills


def test_what_the_run_took_is_in_its_row_its_results_and_its_report(
    alice: Client, crossover: dict[str, Any], tmp_path: Path
) -> None:
    usage = crossover["usage"]
    assert usage["sandbox"].startswith("runsc ")
    assert usage["reported_by"] == "strategy"
    assert 10 << 20 < usage["peak_memory_bytes"] < 3 << 30
    assert 0 < usage["cpu_seconds"] < RUN_SECONDS
    page = next(p for p in alice.download(crossover["job_id"], tmp_path) if p.name == "report.html").read_text()
    assert usage["sandbox"] in page and "reported by the strategy" in page


def test_every_step_left_its_trace(stack: Stack, crossover: dict[str, Any]) -> None:
    job = crossover["job_id"]
    keys = objects(stack, "Runs", f"runs/{job}/1/events/")
    events: list[Event] = [json.loads(read(stack, "Runs", key)) for key in keys]
    assert [e["seq"] for e in events] == list(range(len(events)))
    assert events[0]["type"] == "STARTED"
    assert events[-1]["type"] == "COMPLETED"
    assert any(e["type"] == "PROGRESS" for e in events)
    reference = events[-1]["result"]
    assert reference is not None
    assert hashlib.sha256(read(stack, "Runs", reference["key"])).hexdigest() == reference["sha256"]
    history = row(stack, "select count(*) from backtest_job_events where job_id = %s", job)
    assert history[0] >= 2
    status, started, finished = row(
        stack, "select status, started_at, finished_at from backtest_jobs where id = %s", job
    )
    assert (status, started < finished) == ("COMPLETED", True)


def test_every_artifact_has_the_digest_that_the_result_names(stack: Stack, crossover: dict[str, Any]) -> None:
    result = json.loads(read(stack, "Runs", f"runs/{crossover['job_id']}/1/result.json"))
    assert {"equity.csv", "trades.csv", "metrics.json", "actions.json"} <= set(result["artifacts"])
    for artifact in result["artifacts"].values():
        assert hashlib.sha256(read(stack, "Runs", artifact["key"])).hexdigest() == artifact["sha256"]


def test_the_report_shows_charts_metrics_trades_code_log_and_facts(
    alice: Client, crossover: dict[str, Any], tmp_path: Path
) -> None:
    assert crossover["report_status"] == "READY"
    files = {p.name: p for p in alice.download(crossover["job_id"], tmp_path)}
    assert set(files) == {"report.html", "report.json", "equity.csv", "trades.csv"}
    page = files["report.html"].read_text()
    for piece in ("<svg", "CAGR", "Monthly returns", "Trades", "class Crossover", "Run facts", crossover["snapshot"]):
        assert piece in page
    assert "<script" not in page
    assert json.loads(files["report.json"].read_text())["result"]["job"] == crossover["job_id"]


def test_the_same_manifest_runs_to_the_same_bytes_off_the_nodes_cache(
    alice: Client, stack: Stack, crossover: dict[str, Any]
) -> None:
    before = stack.cache()
    again = alice.wait(alice.submit(CROSSOVER)["job_id"], timeout_s=RUN_SECONDS)
    first, second = (
        json.loads(read(stack, "Runs", f"runs/{job}/1/result.json")) for job in (crossover["job_id"], again["job_id"])
    )
    assert first["job"] != second["job"]
    assert first["result_digest"] == second["result_digest"]
    assert first["manifest_digest"] == second["manifest_digest"]
    after = stack.cache()
    assert after["hits"] > before["hits"]
    assert after["fetched"] == before["fetched"]  # all that the second run read was there


def test_a_dropped_notebook_runs_as_its_owners_job(stack: Stack, ingested: dict[str, Any]) -> None:
    answer = demo.drop(stack, "bob", NOTEBOOK)
    bob = demo.client(stack, "bob")
    state = bob.wait(answer["job_id"], timeout_s=RUN_SECONDS)
    assert state["status"] == "COMPLETED", state["failure"]
    owner = row(stack, "select user_id from backtest_jobs where id = %s", answer["job_id"])[0]
    assert owner == stack.client("sts", "bob").get_caller_identity()["UserId"]


def test_one_researcher_cannot_see_anothers_run_and_an_operator_can(stack: Stack, crossover: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        demo.client(stack, "bob").get(crossover["job_id"])
    assert refused.value.status == 404
    assert demo.client(stack, "otto").get(crossover["job_id"])["job_id"] == crossover["job_id"]


def test_a_researcher_cannot_drop_vendor_data(stack: Stack) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        stack.client("s3", "alice").put_object(
            Bucket=stack.bucket("VendorDrop"), Key="incoming/equities-1d/evil.csv", Body=b"x"
        )


def test_what_the_strategy_printed_can_be_read(alice: Client, ingested: dict[str, Any], tmp_path: Path) -> None:
    path = variant(tmp_path, "talks.py", 'print("héllo \\x1b[31m")')
    state = alice.wait(alice.submit(path)["job_id"], timeout_s=RUN_SECONDS)
    assert state["status"] == "COMPLETED", state["failure"]
    lines = list(alice.logs(state["job_id"]))
    assert {line["stream"] for line in lines} == {"stdout"}
    assert lines[0]["text"].startswith("héllo")
    assert "\x1b" not in lines[0]["text"]


def test_code_that_fails_names_file_and_line(alice: Client, ingested: dict[str, Any], tmp_path: Path) -> None:
    path = variant(tmp_path, "breaks.py", "1 / 0")
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "1 / 0" in text)
    state = alice.wait(alice.submit(path)["job_id"], timeout_s=RUN_SECONDS)
    assert state["status"] == "FAILED"
    assert (state["failure"]["kind"], state["failure"]["file"], state["failure"]["line"]) == ("CODE", "breaks.py", line)
    assert "ZeroDivisionError" in state["failure"]["message"]


BOMBS = {
    "greedy.py": "kept = [__import__('numpy').empty(1 << 24) for _ in range(99)]",
    "many.py": "import os, time; [os.fork() or (b'x' * (900 << 20), time.sleep(60)) for _ in range(6)]; time.sleep(60)",
}


def test_a_memory_bomb_is_named_by_its_own_memory_error_or_by_the_reconciler(
    stack: Stack, alice: Client, ingested: dict[str, Any], tmp_path: Path
) -> None:
    jobs = {name: alice.submit(variant(tmp_path, name, bomb))["job_id"] for name, bomb in BOMBS.items()}
    [minutely] = stack.wires.schedules
    deadline = time.monotonic() + RUN_SECONDS
    while (states := {name: alice.get(job) for name, job in jobs.items()}) and time.monotonic() < deadline:
        if all(state["status"] == "FAILED" for state in states.values()):
            break
        stack.invoke(minutely.function, {})  # as the schedule does every minute
        time.sleep(1)
    assert {state["failure"]["kind"] for state in states.values()} == {"OUT_OF_MEMORY"}, states
    greedy, many = states["greedy.py"], states["many.py"]
    assert greedy["failure"]["message"].startswith("numpy._core._exceptions._ArrayMemoryError: Unable to allocate")
    assert greedy["failure"]["message"].endswith("MiB in memory at the peak, 2816 MiB of addresses allowed)")
    assert many["failure"]["message"].endswith("3072 MiB in memory at the peak, 3072 MiB allowed")
    assert (greedy["usage"]["reported_by"], many["usage"]["reported_by"]) == ("strategy", "node")


def test_a_cancelled_run_ends_and_its_job_leaves_the_cluster(
    alice: Client, ingested: dict[str, Any], tmp_path: Path
) -> None:
    path = variant(tmp_path, "sleeps.py", "__import__('time').sleep(60)")
    job = alice.submit(path)["job_id"]
    for _ in range(120):
        if alice.get(job)["status"] == "RUNNING":
            break
        time.sleep(0.25)
    assert alice.cancel(job)["status"] == "CANCELLED"
    time.sleep(1)
    assert alice.get(job)["status"] == "CANCELLED"


def test_the_same_token_and_body_give_the_same_job_and_another_body_is_a_conflict(
    alice: Client, ingested: dict[str, Any], tmp_path: Path
) -> None:
    token = str(uuid.uuid4())
    first = alice.submit(CROSSOVER, token=token)
    assert alice.submit(CROSSOVER, token=token)["job_id"] == first["job_id"]
    with pytest.raises(ApiError) as refused:
        alice.submit(CROSSOVER, {"params": {"fast": 10}}, token=token)
    assert refused.value.status == 409
    alice.wait(first["job_id"], timeout_s=RUN_SECONDS)
