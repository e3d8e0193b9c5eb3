"""Our store on the server: as on a laptop, with botocore and, where it is installed, obstore."""

from __future__ import annotations

from typing import Any

from botocore.config import Config
from botocore.session import Session

from benchmarks.reads.where import KEY, SECRET, endpoint


def session() -> Session:
    """Return a session with the bench's key."""
    made = Session()
    made.set_credentials(KEY, SECRET)
    return made


def client() -> Any:
    """Return a client of the server."""
    config = Config(max_pool_connections=16, s3={"addressing_style": "path"})
    return session().create_client("s3", region_name="us-east-1", endpoint_url=endpoint(), config=config)
