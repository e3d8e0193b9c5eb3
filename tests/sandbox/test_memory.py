"""A memory bomb does not kill the messenger; where it does, the pod's status still names it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backtest.postmortem import cause_of_death, usage
from infra.local.cluster.cgroup import Groups
from infra.local.cluster.endings import terminated
from infra.local.cluster.engine import Engine, probe
from sandbox import policy
from tapedeck.market.store import FolderStore
from tests.component.pod import halves as component
from tests.sandbox.conftest import Cluster
from tests.sandbox.one_sentry import SOURCE, VENVS, OneSentry, own

POD_MEMORY = 640 << 20
STRATEGY = """
import os, time
import numpy as np
from tapedeck import Strategy

class Mine(Strategy):
    fields = ("close",)
    def weights(self, bars):
        print("before the bomb", flush=True)
        BOMB
"""
PAST_THE_LIMIT = "kept = []\nwhile True: kept.append(np.empty(1 << 24))"
TO_THE_LAST_BYTE = """
kept, chain = [], None
try:
    while True: kept.append(np.empty(1 << 20))
except MemoryError:
    while True: chain = (chain,)
"""
MANY_CHILDREN = """
for _ in range(8):
    if os.fork() == 0:
        kept = [b"x" * (16 << 20) for _ in range(40)]
        time.sleep(60)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def engine(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The engine that the cluster chose, with a folder of its own for its containers."""
    return probe(SOURCE, VENVS / "strategy", tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="module")
def groups() -> Iterator[Groups]:
    made = Groups("tapedeck-one-sentry")
    made.sweep()
    assert made.usable()
    yield made
    made.sweep()


@pytest.fixture
def pod(engine: Engine, groups: Groups, tmp_path: Path) -> OneSentry:
    return OneSentry(engine, groups.create(tmp_path.name, POD_MEMORY, 2000), tmp_path / "pod", tmp_path / "store")


def submit(pod: OneSentry, bomb: str) -> dict[str, str]:
    """Put market, code and manifest where the sidecar finds them; return its environment's variables."""
    source = STRATEGY.replace("BOMB", bomb.replace("\n", "\n        "))
    run = component.manifest(component.publish_market(FolderStore(pod.store / "market")).id, source)
    body = component.canonical(run)
    runs = FolderStore(pod.store / "runs")
    runs.put(run["code"]["key"], source.encode())
    runs.put(f"runs/{component.JOB}/run.json", body)
    own(pod.store, policy.load().sidecar.uid)
    return {"JOB_ID": component.JOB, "MANIFEST_DIGEST": hashlib.sha256(body).hexdigest()}


def events(pod: OneSentry) -> list[Any]:
    folder = pod.store / "runs" / "runs" / component.JOB / "1" / "events"
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


@pytest.mark.parametrize("bomb", [PAST_THE_LIMIT, TO_THE_LAST_BYTE])
def test_past_its_address_space_a_strategy_meets_a_memory_error_and_the_sidecar_in_its_sentry_names_it(
    pod: OneSentry, bomb: str
) -> None:
    with pod.running(submit(pod, bomb)):
        assert pod.wait("sidecar", 60) == 0, pod.printed()
    last = events(pod)[-1]
    assert (last["type"], last["failure"]["kind"]) == ("FAILED", "OUT_OF_MEMORY"), last
    assert "MiB in memory at the peak, 2816 MiB of addresses allowed" in last["failure"]["message"]
    assert last["failure"]["line"] is not None
    assert last["failure"]["last_lines"]
    assert last["usage"]["peak_memory_bytes"] > 20 << 20


def test_children_that_take_the_whole_sentry_down_are_named_by_the_pods_status(pod: OneSentry) -> None:
    with pod.running(submit(pod, MANY_CHILDREN)):
        codes = {name: pod.wait(name, 60) for name in ("strategy", "sidecar")}
        took = pod.group.usage()
    assert took.oom_kills > 0
    assert [event["type"] for event in events(pod)] == ["STARTED"], "nobody was left to say it"
    spec, now = pod.pod.main, datetime.now(UTC)
    ends = {
        name: terminated(spec, 137 if code is None else code, took, now, sandboxed=True, told=False)
        for name, code in codes.items()
    }
    status = {
        "initContainerStatuses": [{"name": "sidecar", "state": {"terminated": ends["sidecar"]}}],
        "containerStatuses": [{"name": "strategy", "state": {"terminated": ends["strategy"]}}],
    }
    cause = cause_of_death(None, [{"metadata": {}, "status": status}], started=True)
    assert cause.kind == "OUT_OF_MEMORY"


def test_children_that_get_around_the_address_space_are_killed_and_named_with_peak_and_limit(cluster: Cluster) -> None:
    def small(job: Any) -> None:
        resources = job["spec"]["template"]["spec"]["containers"][0]["resources"]
        resources["limits"]["memory"] = resources["requests"]["memory"] = "256Mi"

    outcome = cluster.run("import os, time\n" + MANY_CHILDREN, change=small)
    assert outcome.told is not None, "the sidecar lives on in its own sandbox"
    cause = cause_of_death(outcome.job, [outcome.pod], started=True)
    assert cause.kind == "OUT_OF_MEMORY"
    assert cause.message.endswith("256 MiB in memory at the peak, 256 MiB allowed")
    took = usage([outcome.pod])
    assert took is not None
    assert (took.reported_by, took.peak_memory_bytes) == ("node", pytest.approx(256 << 20, rel=0.01))
    assert took.sandbox is not None and took.sandbox.startswith("runsc ")
