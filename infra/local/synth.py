"""Synthesises the CDK app when what it reads has changed since the last time."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from infra.local.child import StartError

_READ = ("app.py", "cdk.json", "infra", "functions", "layers", "container_runner")
_LEFT_OUT = ("infra/local/",)
"""The local stack reads the assembly; it is no part of it."""
_LIMIT_S = 300.0


def synthesise(root: Path, out: Path) -> Path:
    """Return `out`, which holds the assembly of the checkout `root` as it is now; raises StartError."""
    stamp = out / ".inputs"
    inputs = digest(root)
    if stamp.exists() and stamp.read_text() == inputs:
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    log = out.with_suffix(".log")
    environment = {**os.environ, "CDK_OUTDIR": str(out), "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1"}
    with log.open("wb") as output:
        command = [sys.executable, "app.py"]
        made = subprocess.run(
            command, cwd=root, env=environment, stdout=output, stderr=output, timeout=_LIMIT_S, check=False
        )
    if made.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise StartError(f"`python app.py` left with code {made.returncode}; its log is {log}\n{tail}")
    stamp.write_text(inputs)
    return out


def digest(root: Path) -> str:
    """Return a digest of all that the app reads; the layer is known by when it was made."""
    found = hashlib.sha256()
    for path in _inputs(root):
        found.update(f"{path.relative_to(root)}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    layer = root / "build" / "layer"
    found.update(f"{layer.resolve()} {(layer / 'python').stat().st_mtime_ns if layer.exists() else 0}".encode())
    return found.hexdigest()


def _inputs(root: Path) -> Iterator[Path]:
    for name in _READ:
        path = root / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            relative = file.relative_to(root).as_posix()
            if file.is_file() and "__pycache__" not in file.parts and not relative.startswith(_LEFT_OUT):
                yield file
