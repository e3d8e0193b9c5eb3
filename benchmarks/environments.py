"""The environments that measures run in: what jobs have, and a peer's own, pinned, made where it is missing."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENVS = ROOT / "build" / "venvs"
SIDECAR = VENVS / "sidecar" / "bin" / "python"
STRATEGY = VENVS / "strategy" / "bin" / "python"
_UV = VENVS / "tools" / "bin" / "uv"
_INSTALL_LIMIT_S = 580


def pinned(name: str, pins: Sequence[str]) -> Path:
    """Return the Python of an environment that holds `pins`, made when it is missing or when they have changed."""
    folder, wanted = VENVS / name, "\n".join(pins)
    python, stated = folder / "bin" / "python", folder / "pins.txt"
    if not (stated.exists() and stated.read_text() == wanted):
        subprocess.run([_UV, "venv", "--quiet", "--clear", "--python", "3.11", folder], check=True, timeout=120)
        install: list[str | Path] = [_UV, "pip", "install", "--quiet", "--python", python, *pins]
        subprocess.run(install, check=True, timeout=_INSTALL_LIMIT_S)
        stated.write_text(wanted)
    return python
