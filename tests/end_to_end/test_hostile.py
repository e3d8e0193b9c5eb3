"""Hostile strategies through the whole platform: submitted, run with real credentials near, and reported."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from infra.local.stack import Stack
from tapedeck.client import ApiError, Client
from tests.end_to_end.effects import CROSSOVER, RUN_SECONDS, read
from tests.sandbox.hostile.run import STRATEGIES, Case, archive, outcomes, title

ATTACKS = ("host_files", "environment", "metadata", "network", "patched")
HEADER = """# /// backtest
# dataset = "equities-1d"
# symbols = ["AAPL", "IBM", "MSFT"]
# start = 2012-10-01
# end = 2012-12-31
# ///
"""


def run(alice: Client, path: Path, params: Mapping[str, object]) -> dict[str, Any]:
    done: dict[str, Any] = alice.wait(alice.submit(path, {"params": params})["job_id"], timeout_s=RUN_SECONDS)
    assert done["status"] == "COMPLETED", done
    return done


def digests(stack: Stack, job: Mapping[str, Any]) -> tuple[str, str]:
    result = json.loads(read(stack, "Runs", f"runs/{job['job_id']}/{job['attempt']}/result.json"))
    return result["decisions_digest"], result["result_digest"]


@pytest.fixture(scope="module")
def hostile(stack: Stack, alice: Client, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("submitted")
    facts: dict[str, int | str] = {
        "canary": str(stack.logs_dir / "api.log"),
        "port": urlsplit(stack.endpoint_url).port or 0,  # of S3 and the rest, which the sidecar talks to
        "abstract": "nobody",
    }
    given = zipfile.ZipFile(io.BytesIO(archive(Case(ATTACKS, params=facts))))
    path = folder / "hostile.zip"
    with given, zipfile.ZipFile(path, "w") as out:
        for name in given.namelist():
            text = given.read(name).decode()
            out.writestr(name, HEADER + text if name == "strategy.py" else text)
    asked = {"attacks": " ".join(f"{name}:{title(name)}" for name in ATTACKS), **facts}
    return run(alice, path, asked)


@pytest.fixture(scope="module")
def said(alice: Client, hostile: dict[str, Any]) -> dict[str, str]:
    """What the run said, as its owner reads it by the API."""
    lines = [line["text"] for line in alice.logs(hostile["job_id"]) if line["stream"] == "stdout"]
    assert [line for line in lines if line.startswith("ATTACK")] == [f"ATTACK {name}" for name in ATTACKS] * 3  # chunks
    return outcomes([line for line in lines if not line.startswith("ATTACK ")])


def test_no_credential_of_the_platform_is_in_reach(said: dict[str, str]) -> None:
    for what in ("environment", "environment of pid 1", "environment of the parent"):
        assert said[f"a secret in the {what}"] == "DONE", what
    assert said["a secret on a command line"] == "DONE"
    assert said["stat /var/run/secrets/tapedeck/token"] == "ENOENT"
    assert said["read the host's canary"] == "ENOENT"


def test_the_aws_endpoints_that_the_sidecar_uses_are_closed_to_the_strategy(said: dict[str, str]) -> None:
    assert said["TCP to the host's listener"] == "EPERM"
    assert {how for what, how in said.items() if what.startswith("connect")} == {"EPERM"}


def test_a_patched_engine_gets_the_honest_runs_digest(
    stack: Stack, alice: Client, hostile: dict[str, Any], said: dict[str, str], tmp_path: Path
) -> None:
    honest = tmp_path / "honest.py"
    honest.write_text(HEADER + (STRATEGIES / "honest.py").read_text())
    unpatched = run(alice, honest, {})
    assert said["patch engine, metrics, hashes and clocks"] == "DONE"
    assert digests(stack, hostile) == digests(stack, unpatched)
    assert hostile["metrics"]["values"] == unpatched["metrics"]["values"]


def test_an_archive_with_a_way_up_is_refused_by_the_api(alice: Client, tmp_path: Path) -> None:
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.write(CROSSOVER, "strategy.py")
        out.writestr("../../escaped.py", "x")
    with pytest.raises(ApiError) as refused:
        alice.submit(path)
    assert (refused.value.status, refused.value.error["code"]) == (400, "BAD_ARCHIVE")
