"""`python -I -m cache`: one node's cache, described by the environment, until SIGTERM."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import threading

import boto3

from cache.counts import Counts
from cache.node import Node
from cache.server import Server
from cache.settings import Settings
from cache.tiers import Tiers
from tapedeck.market.s3_reads import S3Reads
from tapedeck.market.store import ObjectStore

_TELL_S = 60.0


def connect(settings: Settings) -> ObjectStore:
    """Return the market's bucket; a slow S3 is the sidecar's to wait for, not ours."""
    session = boto3.Session(region_name=settings.region)
    return S3Reads(session.client("s3"), settings.market_bucket, session.get_credentials(), timeout_s=5, tries=2)


def main() -> int:
    """Serve; prints {"ready": true, "port": N} when it listens. Returns 1 when another daemon has the folder."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    os.umask(0o022)  # sidecars read what we write
    settings = Settings.from_env(os.environ)
    with (settings.folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another daemon writes {settings.folder}", file=sys.stderr)  # noqa: T201 - the daemon's own log
            return 1
        serve(settings, stop)
    return 0


def serve(settings: Settings, stop: threading.Event) -> None:
    """Serve until `stop`; what was there before is checked meanwhile."""
    counts = Counts()
    tiers = Tiers(settings.folder, settings.quota, counts)
    tiers.load()
    node = Node(connect(settings), tiers, counts)
    with Server((settings.host, settings.port), node, tiers, counts) as server:
        threads = [
            threading.Thread(target=server.serve_forever, args=(0.1,)),
            threading.Thread(target=tiers.check, args=(stop,)),
        ]
        for thread in threads:
            thread.start()
        print(json.dumps({"ready": True, "port": server.server_address[1]}), flush=True)  # noqa: T201 - who started us
        told = server.metrics()
        while not stop.wait(_TELL_S):
            told = _tell(server.metrics(), told)
        server.shutdown()
        node.close()
        for thread in threads:
            thread.join()
        _tell(server.metrics(), {})


def _tell(now: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    """Write a log line when something happened."""
    if now != before:
        print(json.dumps(now), file=sys.stderr)  # noqa: T201 - the daemon's own log
    return now


if __name__ == "__main__":
    sys.exit(main())
