"""A bundle on disk: config.json and the empty root that its mounts need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from infra.local.cluster.interpreter import skeleton


def write_bundle(folder: Path, config: dict[str, Any]) -> None:
    """Write `config` and its root skeleton below `folder`."""
    mounts = [(mount["destination"], mount["source"]) for mount in config["mounts"]]
    skeleton(folder / "rootfs", mounts, config["hostname"], config["process"]["user"]["uid"])
    (folder / "config.json").write_text(json.dumps(config))
