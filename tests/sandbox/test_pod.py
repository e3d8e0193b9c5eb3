"""A pod on the local cluster: what its two containers are given, and what they are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import contract
from backtest.layout import parse_pod
from sandbox import policy
from tests.sandbox.conftest import Cluster, Outcome, claims, processes
from tests.unit.job_manifests import NAMESPACE

LOOK = """
import ctypes, errno, json, os, resource, socket, sys, threading
def attempt(act):
    try: act()
    except OSError as error: return errno.errorcode.get(error.errno, str(error))
    return "done"
def write(path): return attempt(lambda: open(path, "w").write("x"))
def remount():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.unshare(0x10000000 | 0x20000)
    for flags in (0x20, 0x1020):
        if libc.mount(b"none", b"/exchange/in", None, ctypes.c_ulong(flags), None) == 0: return "remounted"
    return errno.errorcode[ctypes.get_errno()]
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
connect = lambda *address: attempt(lambda: socket.create_connection(address, 1))
SECRETS = ("/var/run/secrets", "/var/lib/tapedeck", "/etc/shadow", "/home", "/usr/bin", "/etc/ssl", "/root/.ssh")
WRITES = ("/x", "/opt/venv/x", "/opt/tapedeck/contract.py", "/exchange/in/canary",
          "/tmp/x", "/exchange/out/x", "/dev/shm/x")
LIMITS = ("RLIMIT_AS", "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_FSIZE", "RLIMIT_CORE")
facts = {
    "environment": dict(os.environ), "uid": [os.getuid(), os.geteuid(), os.getgid()], "groups": os.getgroups(),
    "capabilities": status["CapEff"].strip(), "seccomp": status.get("Seccomp", "?").strip(),
    "hash": hash("a"), "isolated": [sys.flags.safe_path, sys.flags.no_user_site, sys.path[0]],
    "root": sorted(os.listdir("/")), "opt": sorted(os.listdir("/opt/tapedeck")), "home": sorted(os.listdir("/root")),
    "secrets": [p for p in SECRETS if os.path.exists(p)],
    "metadata": connect("169.254.169.254", 80), "loopback": connect("127.0.0.1", PORT),
    "udp": attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
    "write": {p: write(p) for p in WRITES},
    "remount": remount(), "limits": {name: resource.getrlimit(getattr(resource, name)) for name in LIMITS},
    "host": os.uname().nodename,
}
import numpy, pyarrow.parquet, _ssl
from tapedeck import compiled
facts["compiled"] = compiled.library() is not None
facts["sum"] = float(numpy.arange(4.0).sum())
from numpy._core import _multiarray_umath as built
facts["instructions"] = [name for name in built.__cpu_dispatch__ if built.__cpu_features__[name]]
facts["loader"] = type(numpy.__spec__.loader).__name__
print(json.dumps(facts))
print("to stderr", file=sys.stderr)
sys.exit(7)
"""


@pytest.fixture(scope="module")
def seen(cluster: Cluster) -> Outcome:
    return cluster.run(LOOK.replace("PORT", str(cluster.port)))


@pytest.fixture(scope="module")
def facts(seen: Outcome) -> dict[str, Any]:
    return dict(seen.printed())


def test_the_strategys_exit_code_and_both_streams_come_through(seen: Outcome) -> None:
    assert seen.told is not None
    assert seen.told["stderr"] == "to stderr\n"
    magic, status, peak, cpu = contract.EXIT.unpack(bytes.fromhex(seen.told["exit"]))
    assert (magic, status) == (contract.EXIT_MAGIC, 7 << 8)
    assert 20 << 20 < peak < 1 << 30, "numpy and pyarrow were imported"
    assert 50_000 < cpu < 60_000_000
    assert (seen.strategy["exitCode"], seen.strategy["reason"]) == (7, "Error")
    assert seen.condition == ("Failed", "BackoffLimitExceeded")


def test_the_strategys_environment_is_the_policys_and_holds(facts: dict[str, Any]) -> None:
    assert facts["environment"] == policy.load().environment
    assert facts["hash"] == 4644417185603328019  # PYTHONHASHSEED=0 is obeyed
    assert facts["isolated"][:2] == [True, 1]
    assert facts["sum"] == 6.0
    assert facts["loader"] == "_Packed", "imported out of the environment's pack, not file by file"


def test_the_strategys_engine_is_the_compiled_one(facts: dict[str, Any]) -> None:
    assert facts["compiled"] is True


def test_numpy_uses_no_instructions_that_some_machines_lack(facts: dict[str, Any]) -> None:
    assert set(facts["instructions"]) <= {"X86_V3"}, "AVX2 at most, whatever this machine has"


def test_the_strategy_is_nobody_and_filtered(facts: dict[str, Any]) -> None:
    assert facts["uid"] == [65532, 65532, 65532]
    assert (facts["groups"], int(facts["capabilities"], 16)) == ([], 0)
    assert facts["seccomp"] == "2"


def test_the_strategy_sees_python_its_library_and_its_exchange_only(facts: dict[str, Any]) -> None:
    assert set(facts["root"]) <= {"dev", "etc", "exchange", "lib", "lib64", "opt", "proc", "root", "sys", "tmp", "usr"}
    assert facts["opt"] == ["contract.py", "sandbox", "tapedeck"]
    assert facts["home"] in ([], [".pyenv"])
    assert facts["secrets"] == []


def test_the_network_is_closed_to_the_strategy(facts: dict[str, Any]) -> None:
    assert {facts["metadata"], facts["loopback"], facts["udp"]} == {"EPERM"}


def test_only_the_strategys_own_folders_can_be_written(facts: dict[str, Any], seen: Outcome) -> None:
    done = {path for path, result in facts["write"].items() if result == "done"}
    assert done == {"/tmp/x", "/exchange/out/x", "/dev/shm/x"}
    assert set(facts["write"].values()) == {"done", "EROFS"} or "EACCES" in facts["write"].values()
    assert seen.told is not None and seen.told["canary"] == "alive"


def test_a_read_only_folder_cannot_be_remounted(facts: dict[str, Any], seen: Outcome) -> None:
    assert facts["remount"] == "EPERM"
    assert "ESCAPED" not in seen.strategy_log


def test_the_limits_are_the_policys(facts: dict[str, Any]) -> None:
    process = policy.load().process
    assert facts["limits"] == {
        "RLIMIT_AS": [process["address_space"]] * 2,
        "RLIMIT_NOFILE": [process["open_files"]] * 2,
        "RLIMIT_NPROC": [process["processes"]] * 2,
        "RLIMIT_FSIZE": [process["file_size"]] * 2,
        "RLIMIT_CORE": [process["core"]] * 2,
    }


def test_the_sidecar_is_unprivileged_and_sees_its_own_root(seen: Outcome) -> None:
    assert seen.told is not None
    own = seen.told["own"]
    assert (own["uid"], own["groups"], own["pid"]) == (65533, [], 1)
    assert (int(own["capabilities"], 16), int(own["bounding"], 16), own["no_new_privs"]) == (0, 0, "1")
    assert own["writable"] == ["/tmp", "/exchange/in"]
    assert own["processes"] == ["1"]
    assert set(own["root"]) <= {"dev", "etc", "exchange", "lib", "lib64", "opt", "proc", "root", "tmp", "usr", "var"}


def test_the_sidecars_environment_is_the_jobs_and_the_machines(seen: Outcome) -> None:
    assert seen.told is not None
    env = seen.told["own"]["env"]
    assert env.pop("AWS_ENDPOINT_URL") == "http://127.0.0.1:1"
    assert env.pop("SANDBOX").startswith("runsc ")
    env.pop("LC_CTYPE", None)  # python coerces the C locale
    [sidecar] = seen.job["spec"]["template"]["spec"]["initContainers"]
    assert {**env, "SANDBOX": "gvisor"} == {one["name"]: one["value"] for one in sidecar["env"]}


def test_the_sidecars_token_names_its_pod(seen: Outcome, cluster: Cluster) -> None:
    assert seen.told is not None
    token = claims(seen.told["own"]["token"])
    assert token["iss"] == f"https://127.0.0.1:{cluster.port}"
    assert (token["aud"], token["sub"]) == (["tapedeck-credentials"], f"system:serviceaccount:{NAMESPACE}:sidecar")
    pod = token["kubernetes.io"]["pod"]
    assert pod == {"name": seen.pod["metadata"]["name"], "uid": seen.pod["metadata"]["uid"]}
    assert parse_pod(pod["name"]) is not None


def test_the_records_say_what_the_containers_took(seen: Outcome) -> None:
    notes = seen.pod["metadata"]["annotations"]
    assert '"sandbox": "runsc' in notes["tapedeck/usage-strategy"]
    assert '"peak_memory_bytes": null' not in notes["tapedeck/usage-strategy"]
    assert '"sandbox": null' in notes["tapedeck/usage-sidecar"]


def test_nothing_of_an_ended_pod_is_left_but_its_logs(seen: Outcome, cluster: Cluster) -> None:
    name = seen.pod["metadata"]["name"]
    assert not list((cluster.folder / "state" / "pods").iterdir())
    assert not list(Path("/sys/fs/cgroup").glob(f"*/tapedeck-*/{name}*"))
    assert not processes(name)
