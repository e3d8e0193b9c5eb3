"""Says what this machine can do for the local stack, and what to do about the rest."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

from infra.local.child import StartError
from infra.local.cluster import engine
from infra.local.ports import Ports, PortTakenError
from infra.local.postgres import binaries

ROOT = Path(__file__).resolve().parents[2]
_LIMIT_S = 20.0
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's."""

    subject: str
    ok: bool
    text: str


def main() -> int:
    """Print every finding; returns 1 when something that the stack needs is missing."""
    found = list(findings())
    for finding in found:
        print(f"{'ok     ' if finding.ok else 'MISSING'}  {finding.subject:<15} {finding.text}")
    return 0 if all(finding.ok for finding in found) else 1


def findings() -> Iterator[Finding]:
    """Look at everything that the stack needs."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info[:2] == (3, 11), f"{python} (3.11 is what runs in AWS)")
    yield _program("Node", ["node", "--version"], "apt-get install nodejs: the CDK needs it to synthesise")
    yield _program("setpriv", ["setpriv", "--version"], "apt-get install util-linux")
    yield _tried("PostgreSQL", lambda: _first_line([str(binaries() / "postgres"), "--version"]))
    for name in ("layer", "venvs/sidecar", "venvs/strategy"):
        folder = ROOT / "build" / name
        yield Finding(name, folder.exists(), str(folder) if folder.exists() else "run `make setup`")
    yield _tried("sandbox", sandbox)
    yield Finding("cgroups", _CGROUPS.exists(), _cgroups())
    wanted = Ports.from_environment()
    for field in fields(Ports):
        port = getattr(wanted, field.name)
        yield _tried(f"port {port}", partial(_port, field.name, port))


def sandbox() -> str:
    """Return the sandbox engine that withstands the probe; raises EngineUnavailableError without one."""
    with tempfile.TemporaryDirectory() as state:
        found = engine.probe(ROOT / "container_runner", ROOT / "build" / "venvs" / "strategy", Path(state))
    return found.name


def _program(subject: str, command: list[str], advice: str) -> Finding:
    if shutil.which(command[0]) is None:
        return Finding(subject, False, advice)
    return _tried(subject, lambda: _first_line(command))


def _tried(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, look())
    except (OSError, engine.EngineUnavailableError, PortTakenError, StartError, subprocess.SubprocessError) as error:
        return Finding(subject, False, str(error))


def _port(name: str, port: int) -> str:
    replace(Ports.any(), **{name: port}).claim()
    return f"free for {name}"


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=True)
    return (done.stdout or done.stderr).splitlines()[0]


def _cgroups() -> str:
    version = "v2" if (_CGROUPS / "cgroup.controllers").exists() else "v1"
    return f"{version} at {_CGROUPS}"
