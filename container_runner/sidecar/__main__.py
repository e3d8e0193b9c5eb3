"""`python -I -m sidecar`: one attempt, described by the environment."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import CredentialRetrievalError

import contract
from sandbox import policy
from sidecar.attempt import Attempt
from sidecar.exchange import Exchange
from sidecar.near import NodeCache
from sidecar.settings import Settings
from tapedeck.market.s3_reads import S3Reads
from tapedeck.market.store import S3Store

_CREDENTIAL_TRIES = 6  # boto3 gives the endpoint three times 2 s; a function that starts cold may take longer
_CREDENTIAL_PAUSE_S = 3.0


def connect(settings: Settings, session: boto3.Session) -> Any:  # boto3's clients have no type at run time
    """Return an S3 client with credentials; raises `CredentialRetrievalError` when there are none to be had."""
    config = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 5, "mode": "standard"})
    for _ in range(_CREDENTIAL_TRIES - 1):
        try:
            return session.client("s3", region_name=settings.region, config=config)
        except CredentialRetrievalError as error:
            print(f"no credentials yet: {error}", file=sys.stderr)  # noqa: T201 - the sidecar's own log
            time.sleep(_CREDENTIAL_PAUSE_S)
    return session.client("s3", region_name=settings.region, config=config)


def main(folders: list[str]) -> int:
    """Run the attempt; return 0 when its last event is written."""
    terminated = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: terminated.set())
    os.umask(0o022)  # what we hand in is read by another uid
    settings = Settings.from_env(os.environ)
    session = boto3.Session()
    client = connect(settings, session)
    inside, outside, state = (Path(folder) for folder in folders or (contract.IN, contract.OUT, "/tmp"))
    near = NodeCache(settings.cache_url, settings.cache_dir) if settings.cache_url else None
    attempt = Attempt(
        settings,
        policy.load(),
        runs=S3Store(client, settings.runs_bucket),
        market=S3Reads(client, settings.market_bucket, session.get_credentials(), timeout_s=30, tries=5),
        exchange=Exchange(inside, outside),
        state=state,
        terminated=terminated,
        near=near,
    )
    try:
        return attempt.run()
    finally:
        if near:
            near.tell()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))  # other folders than the contract's are for tests
