"""What a strategy mounts read-only cannot be written through even by root on the host, so no remount inside helps."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.sandbox.conftest import ROOT

TRY = """
import json, sys
from pathlib import Path
from infra.local.cluster import kernel
from infra.local.cluster.held_read_only import HeldReadOnly

root = Path(sys.argv[1])
kernel.unshare(kernel.CLONE_NEWNS)
mounts = [{"type": "bind", "source": str(root / "data"), "destination": "/data", "options": ["rbind", option]}
          for option in ("ro", "rw")]
mounts.append({"type": "bind", "source": str(root / "file"), "destination": "/file", "options": ["rbind", "ro"]})
held = HeldReadOnly(root / "sources", {"mounts": mounts})

def write(path):
    try:
        path.write_text("changed")
    except OSError as error:
        return error.errno
    return 0

sources = [Path(mount["source"]) for mount in held.config["mounts"]]
said = {
    "read-only folder": write(sources[0] / "bars"),
    "read-only file": write(sources[2]),
    "writable folder": write(sources[1] / "bars"),
    "unchanged": sources[1] == root / "data",
}
held.release()
said["left"] = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(root) in line]
print(json.dumps(said))
"""


def test_a_read_only_source_refuses_root_and_leaves_no_mount(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("data/bars", "file"):
        (tmp_path / name).write_text("kept")
    ran = subprocess.run(
        [sys.executable, "-c", TRY, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "read-only folder": 30,  # EROFS
        "read-only file": 30,
        "writable folder": 0,  # the control: the same folder, not held
        "unchanged": True,
        "left": [],
    }
    assert (tmp_path / "file").read_text() == "kept"
