"""A result becomes a report, whatever the run was like: figures, curve and ends of the trades, never all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

import run_objects
from backtest import layout, view
from backtest.cloud import clients
from backtest.cloud.objects import Bucket
from backtest.store.rows import Job
from functions import render
from tapedeck.market.store import S3Store
from tests.component import finished_run
from tests.component.deployment import BUCKETS, Deployment
from tests.component.handlers import created, deliver
from tests.component.runs import submitted

ROOT = Path(__file__).resolve().parents[2]
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}


def left(deployment: Deployment, count: int, calls: int = 0, lines: int = 0) -> Job:
    """Submit, and leave what a run of that many fills leaves; the manifest's place is taken by one of 500 symbols."""
    job = submitted(deployment)
    runs = S3Store(clients.s3(), BUCKETS["runs"])
    finished_run.leave(runs, job.id, count, calls, lines, job.manifest_digest)
    return job


def rendered(deployment: Deployment, job: Job) -> str:
    assert deliver(render, created(run_objects.result(job.id, 1))) == []
    row = deployment.store.jobs.get(job.id)
    assert row is not None
    return row.report_status


def report(deployment: Deployment, job: Job, name: str) -> bytes:
    return deployment.read("runs", layout.report(job.id, name))


def test_the_page_shows_the_ends_of_many_fills_and_says_how_many_there_are(deployment: Deployment) -> None:
    job = left(deployment, 5_000)
    assert rendered(deployment, job) == "READY"
    page = report(deployment, job, "report.html").decode()
    assert "5,000 fills; the first and last 200 are shown" in page
    shown = [symbol for symbol in finished_run.SYMBOLS if f"<td>{symbol}</td>" in page]
    assert shown == [*finished_run.SYMBOLS[:200], *finished_run.SYMBOLS[300:]]
    assert 'href="trades.csv"' in page


def test_a_report_has_the_very_files_that_the_sidecar_wrote(deployment: Deployment) -> None:
    job = left(deployment, 1_000)
    assert rendered(deployment, job) == "READY"
    for name in ("equity.csv", "trades.csv"):
        assert report(deployment, job, name) == deployment.read("runs", run_objects.artifact(job.id, 1, name))
        head = clients.s3().head_object(Bucket=BUCKETS["runs"], Key=layout.report(job.id, name))
        assert head["ContentType"] == "text/csv"


@pytest.mark.parametrize("count", [0, 1, 400, 401])
def test_few_fills_are_all_shown(deployment: Deployment, count: int) -> None:
    job = left(deployment, count)
    assert rendered(deployment, job) == "READY"
    trades = json.loads(report(deployment, job, "report.json"))["trades"]
    written = report(deployment, job, "trades.csv").decode().splitlines()
    assert trades["total"] == count and trades["columns"] == written[0].split(",")
    shown = [",".join(row) for row in trades["first"] + trades["last"]]
    assert shown == (written[1:] if count <= 400 else written[1:201] + written[-200:])


def test_a_log_in_many_parts_is_shown_in_order(deployment: Deployment) -> None:
    job = left(deployment, 1, lines=40)
    assert rendered(deployment, job) == "READY"
    assert "\n".join(f"stdout │ line {i}" for i in range(40)) in report(deployment, job, "report.html").decode()


def test_a_file_that_is_not_the_one_that_the_result_names_is_no_report(deployment: Deployment) -> None:
    job = left(deployment, 1_000)
    deployment.put("runs", run_objects.artifact(job.id, 1, "trades.csv"), b"time,session\n")
    with pytest.raises(BatchProcessingError, match="its digest differs"):  # to be tried again
        deliver(render, created(run_objects.result(job.id, 1)))
    assert deployment.keys("runs", f"reports/{job.id}/") == []


def test_an_artifact_past_every_bound_ends_the_report_and_is_not_tried_for_ever(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backtest.report.facts.OBJECT_BYTES", 2_000_000)
    assert rendered(deployment, left(deployment, 10, calls=20_000)) == "FAILED"


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket="runs")
    yield client
    client.close()


def peak(endpoint: str, job: str) -> int:
    """Return the peak of a process's memory that renders the job's report, in MiB."""
    command = [sys.executable, "-m", "tests.component.finished_run", endpoint, job]
    paths = os.pathsep.join(str(ROOT / part) for part in (".", "layers", "container_runner"))
    environment = {**CREDENTIALS, "PYTHONPATH": paths, "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) // 1024


def test_memory_does_not_grow_with_the_fills(endpoint: str, s3: Any) -> None:
    few, many = (f"00000000-0000-4000-8000-00000000000{i}" for i in range(2))
    runs = S3Store(s3, "runs")
    finished_run.leave(runs, few, 1_000)
    finished_run.leave(runs, many, 500_000)
    size = s3.head_object(Bucket="runs", Key=run_objects.artifact(many, 1, "trades.csv"))["ContentLength"]
    assert size > 64 * 2**20
    assert peak(endpoint, many) < peak(endpoint, few) + 16
    made = {name: s3.head_object(Bucket="runs", Key=layout.report(many, name)) for name in view.REPORT_FILES}
    assert made["trades.csv"]["ContentLength"] == size
    assert "500,000 fills" in Bucket("runs", s3).get(layout.report(many, "report.html"), limit=2**22).decode()


def test_a_file_that_changes_while_it_is_read_is_not_copied(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moto ignores the condition, so it is looked at; S3 refuses a copy of another ETag (412)."""
    asked: list[dict[str, Any]] = []
    client = clients.s3()
    copy = client.copy_object
    monkeypatch.setattr(client, "copy_object", lambda **said: asked.append(said) or copy(**said))
    job = left(deployment, 10)
    key = run_objects.artifact(job.id, 1, "trades.csv")
    etag = client.head_object(Bucket=BUCKETS["runs"], Key=key)["ETag"]
    assert rendered(deployment, job) == "READY"
    assert [(said["CopySource"]["Key"], said["CopySourceIfMatch"]) for said in asked] == [(key, etag)]


def test_the_sidecar_never_holds_its_table_of_trades() -> None:
    pieces: list[int] = []

    class Store:
        def put(self, *_: Any) -> None:
            pass

        def put_parts(self, _: str, parts: Iterable[bytes]) -> None:
            pieces.extend(map(len, parts))

    store: Any = Store()
    finished_run.leave(store, "job", 20_000)
    assert sum(pieces) > 2_000_000 and max(pieces) < 1_000_000
