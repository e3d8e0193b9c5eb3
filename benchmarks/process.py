"""One measurement in a process of its own: a module is run, and its last line is the answer, as JSON."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.environments import ROOT


def answer(
    python: Path, module: str, *words: str, environ: Mapping[str, str] | None = None, limit_s: float = 600
) -> dict[str, Any]:
    """Run `module` with these words in an environment's Python, `environ` added to ours; return what it answers."""
    out = subprocess.run(
        [python, "-m", module, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'container_runner'}", **(environ or {})},
        stdout=subprocess.PIPE,
        timeout=limit_s,
        check=True,
    ).stdout
    told: dict[str, Any] = json.loads(out.splitlines()[-1])
    return told
