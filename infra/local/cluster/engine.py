"""Which gVisor runs untrusted code here: found, tried out and attacked before it is trusted.

systrap where runsc lists it, else ptrace; never kvm, which hangs on machines that show /dev/kvm. Builds that have
directfs get it switched off: with it, a process without any right remounted a read-only bind and wrote to the host.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.cluster.bundle import Image, bundle
from infra.local.cluster.bundle_folder import write_bundle
from infra.local.cluster.interpreter import system_paths
from infra.local.cluster.pod import Container, HostPath, Mount, PodSpec

INSTALL = "Untrusted code needs gVisor's runsc. Install it as root: apt-get install runsc (Debian 12 or later)."
NO_CGROUPS = "--ignore-cgroups"
_PROBE_S = 15.0
_CALL_S = 10.0
_UID = 65532
_ALIVE = "alive"
# Attack 06 of the sandbox research: leave the mount namespace, remount the read-only bind, write as the file's owner.
_PROBE = """
import _ssl, ctypes, numpy, pyarrow.parquet, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.unshare(0x10000000 | 0x20000)
for flags in (0x20, 0x20 | 0x1000):
    libc.mount(b"none", b"/probe", None, ctypes.c_ulong(flags), None)
    try:
        open("/probe/canary", "w").write("escaped")
    except OSError:
        pass
print(sys.argv[1], numpy.arange(3).sum())
"""


class EngineUnavailableError(Exception):
    """Untrusted code cannot run on this machine; the message says why and what to do."""


@dataclass(frozen=True)
class Engine:
    """A runsc that passed the probe; `root` holds its containers' state."""

    binary: str
    version: str
    platform: str
    flags: tuple[str, ...]
    root: str

    @property
    def name(self) -> str:
        """Return what a run's record calls it."""
        limits = " without cgroups" if NO_CGROUPS in self.flags else ""  # the memory limit is then each process's own
        return f"runsc {self.version} {self.platform}{limits}"

    def command(self, *arguments: str) -> list[str]:
        """Return a command line whose process dies with the thread that starts it, and the sandbox with that."""
        options = [f"--root={self.root}", "--network=none", f"--platform={self.platform}", *self.flags]
        return ["setpriv", "--pdeathsig", "KILL", "--", self.binary, *options, *arguments]

    def call(self, *arguments: str) -> bool:
        """Run a short command of runsc; return whether it said yes."""
        try:
            done = subprocess.run(self.command(*arguments), capture_output=True, timeout=_CALL_S, check=False)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def sweep(self) -> None:
        """Remove the containers that a server that died left behind."""
        for folder in Path(self.root).glob("*"):
            if folder.is_dir():
                self.call("delete", "--force", folder.name)
        shutil.rmtree(self.root, ignore_errors=True)
        Path(self.root).mkdir(parents=True, exist_ok=True)


def probe(code: Path, venv: Path, state: Path, *, cgroups: bool = True) -> Engine:
    """Return an engine that runs `venv` and withstands the attack; a success is remembered in `state`.

    `code` holds tapedeck/, sandbox/ and contract.py. Raises `EngineUnavailableError`, naming each engine refused.
    """
    found = shutil.which("runsc")
    if found is None:
        raise EngineUnavailableError(INSTALL)
    binary = str(Path(found).resolve())
    refused = []
    for engine in _candidates(binary, state, cgroups):
        remembered, key = state / "engine.json", _key(engine, venv)
        if remembered.exists() and json.loads(remembered.read_text()) == key:
            return engine
        why = _refusal(engine, Image("strategy", str(code), str(venv), system_paths(venv)))
        if why is None:
            remembered.write_text(json.dumps(key))
            return engine
        refused.append(f"{engine.name}: {why}")
    raise EngineUnavailableError(f"no sandbox engine passed the probe: {'; '.join(refused)}. {INSTALL}")


def _candidates(binary: str, state: Path, cgroups: bool) -> list[Engine]:
    version = _output(binary, "--version").split("\n")[0].removeprefix("runsc version ").strip()
    platforms, options = _output(binary, "help", "platforms"), _output(binary, "flags")
    flags = [] if cgroups else [NO_CGROUPS]
    if "directfs" in options:
        flags.append("--directfs=false")
    root = state / "runsc"
    root.mkdir(parents=True, exist_ok=True)
    names = [name for name in ("systrap", "ptrace") if name in platforms]
    return [Engine(binary, version, name, tuple(flags), str(root)) for name in names]


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_CALL_S, check=False)
    return done.stdout + done.stderr


def _key(engine: Engine, venv: Path) -> dict[str, Any]:
    binary, python = Path(engine.binary).stat(), (venv / "pyvenv.cfg").stat()
    return {
        "engine": [engine.binary, engine.version, engine.platform, *engine.flags],
        "binary": [binary.st_size, binary.st_mtime_ns],
        "venv": [str(venv), python.st_mtime_ns],
        "probe": hashlib.sha256(_PROBE.encode()).hexdigest(),
    }


def _refusal(engine: Engine, image: Image) -> str | None:
    """Return why this engine may not run untrusted code, or None."""
    token = secrets.token_hex(8)
    with (
        tempfile.TemporaryDirectory(dir=Path(engine.root).parent, prefix="probe-") as folder,
        canary(Path(folder)) as watched,
    ):
        write_bundle(Path(folder), probe_bundle(image, token, watched.parent))
        command = engine.command("run", "--bundle", folder, f"probe-{token}")
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_S, check=False)
        except subprocess.TimeoutExpired:
            return f"no answer in {_PROBE_S:.0f} s"
        finally:
            engine.call("delete", "--force", f"probe-{token}")
        return verdict(token, watched, done)


@contextmanager
def canary(folder: Path) -> Iterator[Path]:
    """Yield a file that the attack may write unless the sandbox holds: it is the attacker's own, mounted read-only."""
    path = folder / "data" / "canary"
    path.parent.mkdir()
    path.write_text(_ALIVE)
    for one in (path, path.parent):
        os.chown(one, _UID, _UID)
    yield path


def verdict(token: str, watched: Path, done: subprocess.CompletedProcess[str]) -> str | None:
    """Return why the sandbox that ran the probe may not run untrusted code, or None."""
    if watched.read_text() != _ALIVE:
        return "ESCAPED: it let a read-only folder be remounted and written"
    if done.stdout.strip() != f"{token} 3":
        return f"exit code {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}"
    return None


def probe_bundle(image: Image, token: str, data: Path) -> dict[str, Any]:
    """Return the bundle of the probe: it says `token` when Python works, and attacks `data` before."""
    command = ("/opt/venv/bin/python", "-I", "-B", "-c", _PROBE, token)
    env = {"PATH": "/opt/venv/bin", "OPENBLAS_NUM_THREADS": "1"}
    mounts = (Mount("data", "/probe", read_only=True),)
    container = Container("probe", "probe", command, env, 1000, 1 << 30, _UID, _UID, mounts)
    pod = PodSpec("gvisor", "none", 0, (), container, {"data": HostPath(str(data))})
    folders = {"data": str(data)}
    return bundle(pod, container, image=image, folders=folders, hostname="probe", cgroup="")
