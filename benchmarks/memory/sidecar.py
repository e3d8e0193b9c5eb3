"""The sidecar of one attempt as a process, folders for buckets: `python -m benchmarks.memory.sidecar FOLDER`."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from sandbox import policy
from sidecar.attempt import Attempt
from sidecar.exchange import Exchange
from sidecar.settings import Settings
from tapedeck.market.store import FolderStore


def main(root: Path) -> int:
    """Run the attempt that lies in the folder; return 0 when its last event is written."""
    said = json.loads((root / "attempt.json").read_text())
    return Attempt(
        Settings(**said["settings"]),
        policy.load(),
        runs=FolderStore(Path(said["runs"])),
        market=FolderStore(Path(said["market"])),
        exchange=Exchange(root / "exchange-in", root / "exchange-out"),
        state=root / "sidecar-tmp",
        terminated=threading.Event(),
    ).run()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
