"""The cache's daemon, in this process or in one of its own, and how its files are harmed."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cache.counts import Counts
from cache.node import Node
from cache.server import Server
from cache.tiers import Tiers
from sidecar.near import NodeCache
from tapedeck.market.store import FolderStore


class Daemon:
    """A daemon in this process."""

    def __init__(self, folder: Path, store: FolderStore, quota: int | None) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.counts = folder, Counts()
        self.tiers = Tiers(folder, quota, self.counts)
        self.tiers.load()
        self.server = Server(("127.0.0.1", 0), Node(store, self.tiers, self.counts), self.tiers, self.counts)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def near(self) -> NodeCache:
        return NodeCache(self.url, self.folder)

    def told(self) -> dict[str, int]:
        connection = http.client.HTTPConnection(*self.server.server_address[:2], timeout=5)  # type: ignore[arg-type]
        connection.request("GET", "/metrics")
        told: dict[str, int] = json.loads(connection.getresponse().read())
        connection.close()
        return told

    def decoded(self) -> list[Path]:
        return sorted(path for path in (self.folder / "decoded").rglob("*") if path.is_file())


@contextmanager
def running(folder: Path, store: FolderStore, quota: int | None = 1 << 30) -> Iterator[Daemon]:
    daemon = Daemon(folder, store, quota)
    thread = threading.Thread(target=daemon.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield daemon
    finally:
        daemon.server.shutdown()
        thread.join()
        daemon.server.server_close()
        daemon.server.node.close()


_DAEMON = """
import sys; from pathlib import Path; from cache import __main__ as cache; from tapedeck.market.store import FolderStore
cache.connect = lambda settings: FolderStore(Path(sys.argv[1]))
sys.exit(cache.main())
"""


@contextmanager
def started(folder: Path, market: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    code = Path(__file__).parents[3] / "container_runner"
    environ = {"MARKET_BUCKET": "m", "CACHE_DIR": str(folder), "CACHE_LISTEN": "127.0.0.1:0", "PYTHONPATH": str(code)}
    command = [sys.executable, "-B", "-c", _DAEMON, str(market)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        finally:
            process.kill()


def damage(path: Path, other: Path, how: str) -> None:
    body = bytearray(path.read_bytes())
    path.unlink()
    if how == "fifo":
        os.mkfifo(path)
        return
    if how == "link":
        path.symlink_to(other)
        return
    if how == "flip":
        body[len(body) // 2] ^= 1
    elif how == "header":
        body[9] ^= 1
    elif how == "swap":
        body = bytearray(other.read_bytes())
    else:
        body = body[: len(body) // 2 if how == "truncate" else 0]
    path.write_bytes(body)
