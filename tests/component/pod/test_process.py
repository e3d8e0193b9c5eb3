"""The sidecar as the process that the Job starts: environment in, S3 (moto) out, SIGTERM, exit code."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

import contract
import run_objects
from tapedeck.market.store import S3Store
from tests.component.pod.halves import CODE, JOB, Pod, manifest, publish_market

STRATEGY = """
from tapedeck import Strategy
import time

class Mine(Strategy):
    pause: float = 0.0
    fields = ("close",)
    def weights(self, bars):
        print("working", flush=True)
        time.sleep(self.pause)
        return (bars.close > 100.0) / bars.width
"""
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}


@pytest.fixture
def client(endpoint: str) -> Iterator[Any]:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    for bucket in ("runs", "market"):
        client.create_bucket(Bucket=bucket)
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    yield client
    client.close()


def _start(pod: Pod, endpoint: str, client: Any, params: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Put market, code and manifest into S3, start both processes, return the sidecar."""
    run = manifest(publish_market(S3Store(client, "market")).id, STRATEGY, params=params)
    settings = pod.submit(run, STRATEGY)
    for key in (run["code"]["key"], f"runs/{JOB}/run.json"):
        client.put_object(Bucket="runs", Key=key, Body=pod.runs.get(key))
    environment = {
        "JOB_ID": settings.job,
        "ATTEMPT": "1",
        "MANIFEST_DIGEST": settings.manifest_digest,
        "DEADLINE_SECONDS": "60",
        "RUNS_BUCKET": "runs",
        "MARKET_BUCKET": "market",
        "AWS_ENDPOINT_URL": endpoint,
        "PYTHONPATH": str(CODE),
        "PATH": os.environ["PATH"],
        **CREDENTIALS,
    }
    pod.start_strategy()
    folders = [str(pod.inside), str(pod.out), str(pod.state)]
    return subprocess.Popen([sys.executable, "-B", "-u", "-m", "sidecar", *folders], env=environment)


def _events(client: Any) -> list[run_objects.Event]:
    listed = client.list_objects_v2(Bucket="runs", Prefix=f"runs/{JOB}/1/events/").get("Contents", [])
    return [json.loads(client.get_object(Bucket="runs", Key=o["Key"])["Body"].read()) for o in listed]


@pytest.fixture
def emptied(client: Any) -> Any:
    for bucket in ("runs", "market"):
        for version in client.list_object_versions(Bucket=bucket).get("Versions", []):
            client.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    return client


def test_a_run_over_s3_completes_and_pins_the_version_of_its_result(
    tmp_path: Path, endpoint: str, emptied: Any
) -> None:
    pod = Pod(tmp_path / "pod")
    sidecar = _start(pod, endpoint, emptied, {})
    try:
        assert sidecar.wait(60) == 0
    finally:
        sidecar.kill()
        pod.stop()
    last = _events(emptied)[-1]
    assert last["type"] == "COMPLETED", last
    ref = last["result"]
    assert ref is not None and ref["version_id"] is not None
    answer = emptied.get_object(Bucket="runs", Key=ref["key"], VersionId=ref["version_id"])
    result: run_objects.Result = json.loads(answer["Body"].read())
    assert result["log_parts"] >= 1
    for artifact in result["artifacts"].values():
        assert len(emptied.get_object(Bucket="runs", Key=artifact["key"])["Body"].read()) == artifact["bytes"]


def test_sigterm_to_the_process_ends_in_drained_and_code_0(tmp_path: Path, endpoint: str, emptied: Any) -> None:
    pod = Pod(tmp_path / "pod")
    sidecar = _start(pod, endpoint, emptied, {"pause": 60.0})
    try:
        until = time.monotonic() + 30
        while not (pod.inside / contract.chunk_header(0)).exists() and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.5)
        pod.stop()  # as the kubelet does: the main container first
        sidecar.send_signal(signal.SIGTERM)
        assert sidecar.wait(30) == 0
    finally:
        sidecar.kill()
        pod.stop()
    assert [e["type"] for e in _events(emptied)] == ["STARTED", "DRAINED"]
    log = emptied.get_object(Bucket="runs", Key=f"runs/{JOB}/1/logs/00000000.jsonl")["Body"].read()
    assert json.loads(log.splitlines()[0])["text"] == "working"
