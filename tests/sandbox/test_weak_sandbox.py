"""Without gVisor nothing untrusted runs; with the operator's word bubblewrap does, and every record says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.conftest import Cluster, Outcome
from tests.sandbox.test_pod import LOOK
from tests.unit.job_manifests import NAMESPACE, manifest

STUBBORN = (
    "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('up', flush=True)\nwhile True: time.sleep(0.01)"
)
GRACEFUL = "import signal, sys\nsignal.signal(15, lambda *_: sys.exit(75))\nprint('up', flush=True)\nwhile True: pass"


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a PATH with what a cluster needs, and no runsc."""
    folder = tmp_path_factory.mktemp("bin")
    for tool in ("setpriv", "bwrap"):
        found = shutil.which(tool)
        assert found is not None, f"{tool} is missing: run `make setup`"
        (folder / tool).symlink_to(found)
    return folder


@pytest.fixture(scope="module")
def weak(start: Callable[..., Cluster], tools: Path) -> Iterator[Cluster]:
    running = start(path=str(tools), allow_weak_sandbox=True)
    yield running
    assert running.close() == 0


@pytest.fixture(scope="module")
def seen(weak: Cluster) -> Outcome:
    return weak.run(LOOK.replace("PORT", str(weak.port)))


@pytest.fixture(scope="module")
def facts(seen: Outcome) -> dict[str, Any]:
    return dict(seen.printed())


def test_without_gvisor_a_pod_is_refused_with_how_to_install_it(start: Callable[..., Cluster], tools: Path) -> None:
    cluster = start(path=str(tools))
    try:
        jobs = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
        status, answer = cluster.call("POST", jobs, manifest())
        assert (status, answer["reason"]) == (503, "ServiceUnavailable")
        assert "apt-get install runsc" in answer["message"]
        assert cluster.call("GET", jobs)[1]["items"] == []
    finally:
        assert cluster.close() == 0


def test_where_gvisor_runs_the_switch_changes_nothing(start: Callable[..., Cluster]) -> None:
    cluster = start(allow_weak_sandbox=True)
    try:
        notes = cluster.run("pass").pod["metadata"]["annotations"]
        assert json.loads(notes["tapedeck/usage-strategy"])["sandbox"].startswith("runsc ")
    finally:
        assert cluster.close() == 0


def test_the_weak_sandbox_is_called_weak_in_the_records_of_both_containers(seen: Outcome) -> None:
    notes = json.loads(seen.pod["metadata"]["annotations"]["tapedeck/usage-strategy"])
    assert notes["sandbox"].startswith("bubblewrap (weak)")
    assert seen.told is not None
    assert seen.told["own"]["env"]["SANDBOX"] == notes["sandbox"]


def test_the_weak_sandbox_gives_no_network_no_privilege_and_the_strategys_own_folders_only(
    facts: dict[str, Any], seen: Outcome
) -> None:
    assert facts["uid"] == [65532, 65532, 65532]
    assert (facts["groups"], int(facts["capabilities"], 16), facts["seccomp"]) == ([], 0, "2")
    assert {facts["metadata"], facts["loopback"], facts["udp"], facts["remount"]} == {"EPERM"}
    assert facts["opt"] == ["contract.py", "sandbox", "tapedeck"]
    assert facts["secrets"] == []
    done = {path for path, result in facts["write"].items() if result == "done"}
    assert done == {"/tmp/x", "/exchange/out/x", "/dev/shm/x"}
    assert seen.told is not None and seen.told["canary"] == "alive"
    assert facts["sum"] == 6.0


def test_sigterm_reaches_the_strategy_in_the_weak_sandbox_and_the_deadline_kills_what_ignores_it(weak: Cluster) -> None:
    def brief(job: Any) -> None:
        job["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 1

    names = [weak.submit(code, deadline=3, change=brief) for code in (GRACEFUL, STUBBORN)]
    assert [weak.outcome(name).strategy["exitCode"] for name in names] == [75, 137]


def test_a_memory_bomb_in_the_weak_sandbox_is_killed_and_named(weak: Cluster) -> None:
    def small(job: Any) -> None:
        resources = job["spec"]["template"]["spec"]["containers"][0]["resources"]
        resources["limits"]["memory"] = resources["requests"]["memory"] = "256Mi"

    outcome = weak.run("x = []\nwhile True: x.append(b'x' * (32 << 20))", change=small)
    assert outcome.strategy["reason"] == "OOMKilled"
