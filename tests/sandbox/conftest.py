"""A local cluster, and pods on it: real Jobs, real runsc, a small trusted sidecar, a strategy that each test writes."""

from __future__ import annotations

import base64
import copy
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.unit.eks import ROLE, Sts, answering, eks_token
from tests.unit.job_manifests import MANIFESTS, NAMESPACE, SETTINGS, manifest

ROOT = Path(__file__).parents[2]
CACHE = "/var/lib/tapedeck/cache"

# Hands the test's code over, collects what the launcher writes, and says all of it as one JSON line when told to end.
SIDECAR = """
import json, os, shutil, signal, sys, time
from pathlib import Path
IN, OUT = Path("/exchange/in"), Path("/exchange/out")
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
def status(field):
    return next(line.split()[1] for line in open("/proc/self/status") if line.startswith(field + ":"))
own = {
    "uid": os.getuid(), "groups": os.getgroups(), "pid": os.getpid(), "root": sorted(os.listdir("/")),
    "capabilities": status("CapEff"), "bounding": status("CapBnd"), "no_new_privs": status("NoNewPrivs"),
    "env": dict(os.environ), "token": Path(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).read_text(),
    "processes": sorted(p for p in os.listdir("/proc") if p.isdigit()),
    "writable": [
        p for p in ("/", "/opt/tapedeck", "/opt/venv", "/etc", "/var/lib/tapedeck/cache", "/tmp", "/exchange/in")
        if os.access(p, os.W_OK)
    ],
}
(IN / "canary").write_text("alive")
shutil.copyfile(f"/var/lib/tapedeck/cache/{os.environ['JOB_ID']}.py", IN / "code.tmp")
(IN / "code.tmp").rename(IN / "code.py")
logs, seen = {"stdout": "", "stderr": ""}, dict.fromkeys(("stdout", "stderr"), 0)
def collect():
    for stream in logs:
        while (path := OUT / f"log-{stream}-{seen[stream]:06}.bin").exists():
            logs[stream] += path.read_bytes().decode("utf-8", "replace")
            path.unlink()
            seen[stream] += 1
while not told:
    collect()
    if (IN / "canary").read_text() != "alive": print("ESCAPED", flush=True)
    time.sleep(0.005)
collect()
exit = (OUT / "exit.bin").read_bytes().hex() if (OUT / "exit.bin").exists() else None
logs = {stream: text[-100_000:] for stream, text in logs.items()}
print(json.dumps({**logs, "exit": exit, "canary": (IN / "canary").read_text(), "own": own}), flush=True)
"""

# Stands where the strategy's host stands: the launcher forks it off, confined.
RUNNER = """
import time
from pathlib import Path
def main(folders):
    code = Path("/exchange/in/code.py")
    while not code.exists(): time.sleep(0.002)
    exec(compile(code.read_text(), "code.py", "exec"), {"__name__": "__main__"})
    return 0
"""


@dataclass(frozen=True)
class Outcome:
    """How a Job ended; `told` is the sidecar's line, None when it could not say it."""

    job: dict[str, Any]
    pod: dict[str, Any]
    told: dict[str, Any] | None
    strategy_log: str

    @property
    def condition(self) -> tuple[str, str]:
        [one] = self.job["status"]["conditions"]
        return one["type"], one["reason"]

    @property
    def strategy(self) -> dict[str, Any]:
        [one] = self.pod["status"]["containerStatuses"]
        return one["state"]["terminated"]

    def printed(self) -> Any:
        """Return the JSON that the strategy printed."""
        assert self.told is not None
        assert self.told["stdout"], (self.told, self.strategy_log)
        return json.loads(self.told["stdout"])


class Cluster:
    """A cluster process of its own and a client of its API."""

    def __init__(self, folder: Path, sts: Sts, code: dict[str, Path], path: str | None = None, **changes: Any) -> None:
        self.folder, self.cache = folder, folder / "cache"
        self.cache.mkdir(parents=True)
        venvs = ROOT / "build" / "venvs"
        images = {SETTINGS.sidecar_image: "sidecar", SETTINGS.strategy_image: "strategy"}
        config = {
            "listen": ["127.0.0.1", 0],
            "state": str(folder / "state"),
            "certificate": str(folder / "ca.pem"),
            "key": str(folder / "key.pem"),
            "issuer": "https://127.0.0.1:0",
            "region": "us-east-1",
            "cluster_name": "demo",
            "sts_endpoint": f"http://127.0.0.1:{sts.server_address[1]}",
            "images": {u: {"target": t, "code": str(code[t]), "venv": str(venvs / t)} for u, t in images.items()},
            "access": {ROLE: ["backtest-dispatchers"]},
            "manifests": MANIFESTS,
            "env": {"sidecar": {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}},
            "host_paths": {CACHE: str(self.cache)},
            "max_pods": 2,
            **changes,
        }
        (folder / "config.json").write_text(json.dumps(config))
        self.http = urllib3.PoolManager(ca_certs=str(folder / "ca.pem"), timeout=10, retries=False)
        self.token = eks_token()
        self.env = os.environ if path is None else {**os.environ, "PATH": path}
        self._start()

    def _start(self) -> None:
        command = [sys.executable, "-m", "infra.local.cluster", str(self.folder / "config.json")]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.port = json.loads(line)["port"]

    def restart(self) -> int:
        """Start again in the same folder, after the process was killed, and end it; return its exit code."""
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._start()
        return self.close()

    def close(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.http.clear()
        return self.process.wait(timeout=20)

    def call(self, method: str, path: str, body: object = None, token: str | None = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token or self.token}"}
        answer = self.http.request(
            method,
            f"https://127.0.0.1:{self.port}{path}",
            headers=headers,
            body=None if body is None else json.dumps(body),
        )
        text = answer.headers["Content-Type"] == "text/plain"
        return answer.status, answer.data.decode() if text else answer.json()

    def submit(self, code: str, *, deadline: int = 30, change: Callable[[Any], None] = lambda job: None) -> str:
        job = str(uuid.uuid4())
        (self.cache / f"{job}.py").write_text(code)
        posted = copy.deepcopy(manifest(job, 1, deadline))
        change(posted)
        status, made = self.call("POST", f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs", posted)
        assert status == 201, made
        return str(made["metadata"]["name"])

    def job(self, name: str) -> dict[str, Any]:
        status, job = self.call("GET", f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/{name}")
        assert status == 200
        return dict(job)

    def pod(self, name: str) -> dict[str, Any] | None:
        _, pods = self.call("GET", f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=job-name%3D{name}")
        return next(iter(pods["items"]), None)

    def wait(self, condition: Callable[[], Any], seconds: float = 30) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, "not in time"
            time.sleep(0.03)
        return found

    def outcome(self, name: str) -> Outcome:
        self.wait(lambda: self.job(name)["status"].get("conditions"))
        pod = self.pod(name)
        assert pod is not None
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}/log"
        logs = [self.call("GET", f"{path}?container={one}")[1] for one in ("sidecar", "strategy")]
        told = [line for line in logs[0].splitlines() if line.startswith("{")]
        return Outcome(self.job(name), pod, json.loads(told[-1]) if told else None, logs[0] + logs[1])

    def run(self, code: str, **options: Any) -> Outcome:
        return self.outcome(self.submit(code, **options))


@pytest.fixture(scope="session")
def sts() -> Iterator[Sts]:
    with answering() as server:
        yield server


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the two images' code; it lies below /tmp, and the interpreter may lie below /root."""
    folders = {target: tmp_path_factory.mktemp(target) for target in ("sidecar", "strategy")}
    (folders["sidecar"] / "sidecar").mkdir()
    (folders["sidecar"] / "sidecar" / "__main__.py").write_text(SIDECAR)
    real = ROOT / "container_runner"
    for name in ("sandbox", "tapedeck"):
        shutil.copytree(real / name, folders["strategy"] / name)
    shutil.copyfile(real / "contract.py", folders["strategy"] / "contract.py")
    (folders["strategy"] / "sandbox" / "runner.py").write_text(RUNNER)
    for folder in folders.values():
        folder.chmod(0o755)  # as an image's folders are; pytest makes its own 0700
    return folders


@pytest.fixture(scope="session")
def start(sts: Sts, code: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Cluster]:
    if os.geteuid() != 0:
        pytest.skip("pods need root: mounts, cgroups, other users")
    return lambda **options: Cluster(tmp_path_factory.mktemp("cluster"), sts, code, **options)


@pytest.fixture(scope="session")
def cluster(start: Callable[..., Cluster]) -> Iterator[Cluster]:
    running = start()
    yield running
    assert running.close() == 0


def claims(token: str) -> dict[str, Any]:
    """Return what a JWT says, unverified."""
    body = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


def processes(pod: str) -> list[str]:
    """Return the processes of the host whose command line names a pod."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if pod in (folder / "cmdline").read_text():
                found.append(folder.name)
    return found
