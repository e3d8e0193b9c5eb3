"""All hostile runs, two at a time, beside one long run that wants no harm and must come to none."""

from __future__ import annotations

import compileall
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from sandbox import policy
from tapedeck.market.store import S3Store
from tests.component.pod.halves import publish_market
from tests.sandbox.conftest import ROOT, Cluster, processes
from tests.sandbox.hostile.cases import CASES, NEIGHBOUR
from tests.sandbox.hostile.run import Case, Ended, Platform
from tests.unit.eks import Sts

AT_ONCE = 2
STRATEGY_UID = policy.load().strategy.uid


@dataclass
class Bait:
    """What of the host a run could hit: a file that everybody may read, and two open listeners that count callers."""

    canary: Path
    tcp: socket.socket
    unix: socket.socket
    callers: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.tcp.getsockname()[1])

    @property
    def abstract(self) -> str:
        return str(self.unix.getsockname()[1:].decode())

    def serve(self, listener: socket.socket, kind: str) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = listener.accept()
                self.callers.append(kind)
                with connection:
                    connection.sendall(b"hello")


@pytest.fixture(scope="session")
def bait(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bait]:
    folder = tmp_path_factory.mktemp("host")
    for above in (folder, *folder.parents):
        if above.stat().st_uid == os.getuid() and above.is_relative_to("/tmp") and above != Path("/tmp"):
            above.chmod(above.stat().st_mode | 0o055)
    canary = folder / "canary"
    canary.write_text("a secret of the host")
    canary.chmod(0o666)
    tcp, unix = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)
    unix.bind(f"\0tapedeck-bait-{os.getpid()}")
    unix.listen()
    found = Bait(canary, tcp, unix)
    for listener, kind in ((tcp, "tcp"), (unix, "unix")):
        threading.Thread(target=found.serve, args=(listener, kind), daemon=True).start()
    yield found
    for listener in (tcp, unix):
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture(scope="session")
def platform(sts: Sts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    if os.geteuid() != 0:
        pytest.skip("pods need root: mounts, cgroups, other users")
    image = tmp_path_factory.mktemp("image")
    shutil.copytree(ROOT / "container_runner", image, dirs_exist_ok=True)
    compileall.compile_dir(image, quiet=2)  # as an image's build does
    image.chmod(0o755)
    for path in (image, *image.rglob("*")):  # the strategy's own by uid: it is the mount that must say no
        os.chown(path, STRATEGY_UID, STRATEGY_UID)
    with ExitStack() as stack:
        s3 = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        s3.start()
        stack.callback(s3.stop)
        host, port = s3.get_host_and_port()
        access = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "AKIASIDECAR",
            "AWS_SECRET_ACCESS_KEY": "the-sidecars-secret",
        }
        client = boto3.client(
            "s3",
            region_name="us-east-1",
            endpoint_url=access["AWS_ENDPOINT_URL"],
            aws_access_key_id=access["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=access["AWS_SECRET_ACCESS_KEY"],
        )
        for bucket in ("runs", "market"):
            client.create_bucket(Bucket=bucket)
        snapshot = publish_market(S3Store(client, "market"))
        images = {"sidecar": image, "strategy": image}
        folder = tmp_path_factory.mktemp("hostile")
        cluster = Cluster(folder, sts, images, env={"sidecar": access}, max_pods=AT_ONCE + 1)
        stack.callback(cluster.close)
        yield Platform(cluster, S3Store(client, "runs"), snapshot)


class Campaign:
    """The runs, begun at once; each can be waited for."""

    def __init__(self, platform: Platform, bait: Bait) -> None:
        self.platform = platform
        self._facts: dict[str, int | str] = {
            "canary": str(bait.canary),
            "port": bait.port,
            "abstract": bait.abstract,
            "others": str(platform.cluster.folder / "state" / "pods"),
        }
        self._neighbour = platform.submit(NEIGHBOUR)
        platform.cluster.wait(lambda: "OUTCOME ready" in platform.first_log(self._neighbour), 60)
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._runs: dict[str, Future[Ended]] = {
            name: self._pool.submit(self._run, case) for name, case in CASES.items()
        }
        self._left: dict[str, list[str]] = {}

    def __getitem__(self, name: str) -> Ended:
        return self._runs[name].result()

    def neighbour(self) -> Ended:
        """Wait for all the others, then have the neighbour end."""
        for run in self._runs.values():
            run.exception()
        self._release()
        return self.platform.ended(self._neighbour)

    def all(self) -> dict[str, Ended]:
        return {name: run.result() for name, run in self._runs.items()}

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._release()

    def _run(self, case: Case) -> Ended:
        params = {name: self._facts[name] for name in case.params}
        job = self.platform.submit(replace(case, params=params))
        ended = self.platform.ended(job)
        assert not processes(f"bt-{job}"), f"{case.attacks} has left processes behind"
        return ended

    def _release(self) -> None:
        """Put a file where only the test can: into the neighbour's exchange, in the cluster's own mounts."""
        cluster = self.platform.cluster
        pod = cluster.pod(f"bt-{self._neighbour}-1")
        assert pod is not None
        folder = f"{cluster.folder}/state/pods/{pod['metadata']['name']}/volumes/exchange-in"
        with suppress(OSError):  # it has ended
            Path(f"/proc/{cluster.process.pid}/root{folder}/release").touch()


@pytest.fixture(scope="session")
def campaign(platform: Platform, bait: Bait) -> Iterator[Campaign]:
    running = Campaign(platform, bait)
    yield running
    running.close()
