"""How pods end: killed and named, and nothing of them left."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.sandbox.conftest import Cluster, processes
from tests.unit.job_manifests import NAMESPACE

JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("running", flush=True)
if os.fork() == 0:
    os.setsid()
while True: time.sleep(0.01)
"""


def brief(grace: int) -> Callable[[Any], None]:
    def change(job: Any) -> None:
        job["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = grace

    return change


def test_a_finished_strategy_completes_its_job(cluster: Cluster) -> None:
    outcome = cluster.run("print('done')")
    assert outcome.condition == ("Complete", "CompletionsReached")
    assert (outcome.strategy["exitCode"], outcome.strategy["reason"]) == (0, "Completed")
    assert outcome.pod["status"]["phase"] == "Succeeded"
    [sidecar] = outcome.pod["status"]["initContainerStatuses"]
    assert sidecar["state"]["terminated"]["exitCode"] == 0


def test_a_memory_bomb_is_killed_and_named_while_the_sidecar_lives(cluster: Cluster) -> None:
    def small(job: Any) -> None:
        resources = job["spec"]["template"]["spec"]["containers"][0]["resources"]
        resources["limits"]["memory"] = resources["requests"]["memory"] = "256Mi"

    outcome = cluster.run("x = []\nwhile True: x.append(b'x' * (32 << 20))", change=small)
    assert outcome.strategy["reason"] == "OOMKilled"
    assert "268435456 bytes" in outcome.strategy["message"]
    assert outcome.told is not None
    assert outcome.told["exit"] is None


def test_the_deadline_kills_what_ignores_sigterm(cluster: Cluster) -> None:
    started = time.monotonic()
    outcome = cluster.run(STUBBORN, deadline=3, change=brief(1))
    assert outcome.condition == ("Failed", "DeadlineExceeded")
    assert outcome.strategy["exitCode"] == 137
    assert outcome.told is not None
    assert outcome.told["stdout"] == "running\n"
    assert time.monotonic() - started < 12


def test_sigterm_reaches_the_strategy_and_its_code_comes_back(cluster: Cluster) -> None:
    code = "import signal, sys\nsignal.signal(15, lambda *_: sys.exit(75))\nprint('up', flush=True)\nwhile True: pass"
    outcome = cluster.run(code, deadline=3)
    assert outcome.condition == ("Failed", "DeadlineExceeded")
    assert outcome.strategy["exitCode"] == 75


def test_two_pods_run_at_once_and_a_third_waits(cluster: Cluster) -> None:
    names = [cluster.submit("import time; time.sleep(1.5)") for _ in range(3)]

    def phases() -> list[str]:
        return [(cluster.pod(name) or {"status": {"phase": "?"}})["status"]["phase"] for name in names]

    cluster.wait(lambda: phases() == ["Running", "Running", "Pending"])
    assert {cluster.outcome(name).condition for name in names} == {("Complete", "CompletionsReached")}


def test_a_deleted_job_takes_its_pod_with_it(cluster: Cluster) -> None:
    name = cluster.submit(STUBBORN, change=brief(1))
    cluster.wait(lambda: (cluster.pod(name) or {"status": {"phase": "?"}})["status"]["phase"] == "Running")
    assert cluster.call("DELETE", f"{JOBS}/{name}?propagationPolicy=Background")[0] == 200
    assert cluster.call("GET", f"{JOBS}/{name}")[0] == 404
    cluster.wait(lambda: cluster.pod(name) is None)


def test_a_sidecar_that_ends_is_started_again(cluster: Cluster) -> None:
    def fleeting(job: Any) -> None:
        [sidecar] = job["spec"]["template"]["spec"]["initContainers"]
        script = "import os, runpy\nif not os.path.exists('/tmp/once'): open('/tmp/once', 'w'); os._exit(3)\n"
        sidecar["command"] = [
            *sidecar["command"][:4],
            "-c",
            script + "runpy.run_module('sidecar', run_name='__main__')",
        ]

    outcome = cluster.run("print('still here')", change=fleeting)
    [sidecar] = outcome.pod["status"]["initContainerStatuses"]
    assert (sidecar["restartCount"], sidecar["lastState"]["terminated"]["exitCode"]) == (1, 3)
    assert outcome.condition == ("Complete", "CompletionsReached")


def test_a_flood_of_output_costs_the_node_nothing(cluster: Cluster) -> None:
    outcome = cluster.run("import os\nfor _ in range(3000): os.write(1, b'x' * 65536)\nprint('end')")
    assert outcome.condition == ("Complete", "CompletionsReached")
    assert outcome.told is not None
    assert outcome.told["stdout"].endswith("end\n")


def test_what_no_role_allows_is_forbidden_and_what_is_unknown_is_refused(cluster: Cluster) -> None:
    assert cluster.call("GET", "/openid/v1/jwks")[0] == 403
    assert cluster.call("GET", JOBS, token="k8s-aws-v1.bm8")[0] == 401
    status, answer = cluster.call("POST", JOBS, {"kind": "Job"})
    assert (status, answer["kind"], answer["reason"]) == (422, "Status", "Invalid")


def test_sigterm_ends_the_cluster_with_its_pods_and_leaves_nothing(start: Callable[[], Cluster]) -> None:
    cluster = start()
    name = cluster.submit(STUBBORN)
    pod = cluster.wait(lambda: (p := cluster.pod(name)) and p["status"]["phase"] == "Running" and p)["metadata"]["name"]
    groups = set(Path("/sys/fs/cgroup").glob(f"*/tapedeck-*/{pod}-strategy"))
    mine = {group.parent for group in groups}
    assert cluster.close() == 0
    assert_nothing_left(cluster, pod, mine)


def test_a_cluster_that_was_killed_leaves_no_process_and_the_next_one_sweeps_the_rest(
    start: Callable[[], Cluster],
) -> None:
    cluster = start()
    name = cluster.submit(STUBBORN)
    pod = cluster.wait(lambda: (p := cluster.pod(name)) and p["status"]["phase"] == "Running" and p)["metadata"]["name"]
    mine = {group.parent for group in Path("/sys/fs/cgroup").glob(f"*/tapedeck-*/{pod}-strategy")}
    cluster.process.send_signal(signal.SIGKILL)
    cluster.process.wait()
    cluster.wait(lambda: not processes(pod))
    again = cluster.restart()
    assert again == 0
    assert_nothing_left(cluster, pod, mine)


def assert_nothing_left(cluster: Cluster, pod: str, groups: set[Path]) -> None:
    assert not processes(pod)
    assert not [group for group in groups if group.exists()]
    assert str(cluster.folder) not in Path("/proc/self/mounts").read_text()
    assert not list((cluster.folder / "state" / "pods").iterdir())
