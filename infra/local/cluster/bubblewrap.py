"""The weak sandbox, only behind the operator's switch and called weak in every record: bubblewrap.

The same bundle as under gVisor, carried out by the kernel of this machine: no network, no capability, another user, own
processes, a read-only root. It lacks the kernel of its own, so it is no boundary for hostile code.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.cluster import engine
from infra.local.cluster.bundle import Image, bundle
from infra.local.cluster.bundle_folder import write_bundle
from infra.local.cluster.interpreter import system_paths
from infra.local.cluster.running import Launch, Running

INSTALL = "The weak sandbox needs bubblewrap. Install it as root: apt-get install bubblewrap."
_PROBE_S = 10.0
_NAMESPACES = ("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
# Mounts are made as root, since an interpreter may lie where nobody else may look; then the command is another user's.
# A change of user makes the kernel forget who it shall die with: hence the prctl (PR_SET_PDEATHSIG) after it.
_BECOME = """
import ctypes, os, sys
uid, gid = int(sys.argv[1]), int(sys.argv[2])
os.setgroups([]); os.setresgid(gid, gid, gid); os.setresuid(uid, uid, uid)
ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
os.execv(sys.argv[3], sys.argv[3:])
"""


@dataclass(frozen=True)
class Bubblewrap:
    """A bubblewrap that works here."""

    binary: str
    name: str

    def sweep(self) -> None:
        """Nothing stays of its containers: they die with the server, and their cgroups are swept by it."""

    def command(self, config: Mapping[str, Any], rootfs: Path) -> list[str]:
        """Return the command line that runs an OCI bundle's config and dies with the thread that starts it."""
        return ["setpriv", "--pdeathsig", "KILL", "--", self.binary, *arguments(config, rootfs)]


class BubblewrapContainer(Running):
    """The untrusted container in the weak sandbox."""

    def __init__(self, launch: Launch, sandbox: Bubblewrap) -> None:
        config = bundle(
            launch.pod,
            launch.container,
            image=launch.image,
            folders=launch.folders,
            hostname=launch.hostname,
            cgroup="",
        )
        write_bundle(launch.folder, config)
        command = sandbox.command(config, launch.folder / "rootfs")
        super().__init__(launch.group.command(command) if launch.group else command, launch.log)
        self._asked = False

    def terminate(self) -> None:
        """Send SIGTERM to the container's first process; bubblewrap does not pass its own on."""
        if not self._asked:
            self._asked = self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the first process, and so all of its namespace, then bubblewrap."""
        self._signal(signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Nothing stays: its mounts were its own, and its cgroup is removed with what is left inside."""

    def _signal(self, number: int) -> bool:
        """Signal bubblewrap's child; say whether there is one."""
        pid = self._process.pid
        with suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            for child in children:
                os.kill(int(child), number)
            return bool(children)
        return False


def arguments(config: Mapping[str, Any], rootfs: Path) -> list[str]:
    """Return bubblewrap's arguments for an OCI bundle's config; pure."""
    process = config["process"]
    found = [*_NAMESPACES, "--hostname", config["hostname"], "--die-with-parent", "--new-session", "--as-pid-1"]
    found += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--clearenv"]
    found += ["--ro-bind", str(rootfs), "/"]
    for mount in config["mounts"]:
        found += _mount(mount)
    found += ["--remount-ro", "/dev", "--chdir", process["cwd"]]
    for name, _, value in (one.partition("=") for one in process["env"]):
        found += ["--setenv", name, value]
    become = [process["args"][0], "-I", "-B", "-c", _BECOME, str(process["user"]["uid"]), str(process["user"]["gid"])]
    return [*found, "--", *become, *process["args"]]


def _mount(mount: Mapping[str, Any]) -> list[str]:
    place, options = mount["destination"], mount.get("options", [])
    if mount["type"] == "proc":
        return ["--proc", place]
    if mount["type"] == "bind":
        return ["--ro-bind" if "ro" in options else "--bind", mount["source"], place]
    if place == "/dev":
        return ["--dev", place]
    said = dict(one.split("=", 1) for one in options if "=" in one)
    return ["--perms", said["mode"], "--size", said["size"], "--tmpfs", place]


def probe(code: Path, venv: Path, state: Path, *, cgroups: bool = True) -> Bubblewrap:
    """Return the weak sandbox, tried out; raises `EngineUnavailableError` when it does not run or does not hold."""
    binary = shutil.which("bwrap")
    if binary is None:
        raise engine.EngineUnavailableError(INSTALL)
    found = Bubblewrap(binary, "bubblewrap (weak)" + ("" if cgroups else " without cgroups"))
    image = Image("strategy", str(code), str(venv), system_paths(venv))
    token = secrets.token_hex(8)
    with tempfile.TemporaryDirectory(dir=state, prefix="probe-") as folder, engine.canary(Path(folder)) as canary:
        config = engine.probe_bundle(image, token, canary.parent)
        write_bundle(Path(folder), config)
        command = found.command(config, Path(folder) / "rootfs")
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise engine.EngineUnavailableError(f"{found.name}: no answer in {_PROBE_S:.0f} s") from error
        why = engine.verdict(token, canary, done)
    if why is not None:
        raise engine.EngineUnavailableError(f"{found.name}: {why}")
    return found
