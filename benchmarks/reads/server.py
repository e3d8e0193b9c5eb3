"""A SeaweedFS server on loopback, in an environment of its own; what it stores stays below build/ between runs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from benchmarks.reads.where import FOLDER, KEY, SECRET

START_SECONDS = 60


@contextmanager
def serving(python: Path) -> Iterator[int]:
    """Run the server of this environment; yields its S3 port."""
    data = FOLDER / "server"
    data.mkdir(parents=True, exist_ok=True)
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    keys = [{"accessKey": KEY, "secretKey": SECRET}]
    config = FOLDER / "s3.json"
    config.write_text(json.dumps({"identities": [{"name": "bench", "credentials": keys, "actions": actions}]}))
    master, volume, filer, s3 = _ports(4)
    with (FOLDER / "server.log").open("w") as log:
        server = subprocess.Popen(
            [
                *(python.parent / "weed", "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
                *("-master.volumeSizeLimitMB=512", "-master.telemetry=false", "-volume.max=64"),
                *(f"-master.port={master}", f"-volume.port={volume}", "-filer", f"-filer.port={filer}"),
                *(
                    "-s3",
                    f"-s3.port={s3}",
                    "-s3.port.iceberg=0",
                    "-s3.port.lance=0",
                    f"-s3.config={config}",
                ),
            ],
            stdout=log,
            stderr=log,
            cwd=data,
        )
        try:
            _await(server, s3, master)
            yield s3
        finally:
            server.terminate()
            with suppress(subprocess.TimeoutExpired):
                server.wait(30)
            server.kill()


def cpu_seconds(pid: int) -> float:
    """Return what a process has taken of the processor, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _await(server: subprocess.Popen[bytes], s3: int, master: int) -> None:
    """Wait until S3 answers and the master knows where the volumes are: before that, objects are internal errors."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urlopen(f"http://127.0.0.1:{master}/dir/status", timeout=2) as answer:
                known = json.load(answer)["Topology"].get("DataCenters")
            if known and _answers(s3):
                return
        except (HTTPError, URLError, OSError, ValueError, KeyError):
            pass
        time.sleep(0.2)
    raise SystemExit(f"the S3 server did not start: see {FOLDER / 'server.log'}")


def _answers(s3: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{s3}/", timeout=2):
            return True
    except HTTPError:  # it answers: not to strangers
        return True


def _ports(count: int) -> list[int]:
    """Return free ports whose numbers plus 10,000, where the server puts its gRPC, are ports too."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            one = held.enter_context(socket.socket())
            one.bind(("127.0.0.1", 0))
            number = one.getsockname()[1]
            if number < 55_000:
                found.append(number)
    return found
