"""`python -I -m sidecar`: one attempt, described by the environment."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import boto3
from botocore.config import Config

import contract
from sandbox import policy
from sidecar.attempt import Attempt
from sidecar.exchange import Exchange
from sidecar.settings import Settings
from tapedeck.market.store import S3Store


def main(folders: list[str]) -> int:
    """Run the attempt; return 0 when its last event is written."""
    terminated = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: terminated.set())
    os.umask(0o022)  # what we hand in is read by another uid
    settings = Settings.from_env(os.environ)
    client = boto3.client(
        "s3",
        region_name=settings.region,
        config=Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 5, "mode": "standard"}),
    )
    inside, outside, state = (Path(folder) for folder in folders or (contract.IN, contract.OUT, "/tmp"))
    attempt = Attempt(
        settings,
        policy.load(),
        runs=S3Store(client, settings.runs_bucket),
        market=S3Store(client, settings.market_bucket),
        exchange=Exchange(inside, outside),
        state=state,
        terminated=terminated,
    )
    return attempt.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))  # other folders than the contract's are for tests
