"""The ports of the local stack: fixed ones by default, any free one where 0 is asked for."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path

HOST = "127.0.0.1"


class PortTakenError(Exception):
    """Somebody else listens on a port that the stack needs."""


@dataclass(frozen=True)
class Ports:
    """Loopback ports; 0 means any."""

    gateway: int = 8400
    aws: int = 8401
    cluster: int = 8402
    postgres: int = 8403
    cache: int = 8404

    @classmethod
    def from_environment(cls) -> Ports:
        """Read TAPEDECK_PORT_GATEWAY, _AWS, _CLUSTER, _POSTGRES and _CACHE."""
        chosen = {f.name: os.environ.get(f"TAPEDECK_PORT_{f.name.upper()}") for f in fields(cls)}
        return cls(**{name: int(port) for name, port in chosen.items() if port})

    @classmethod
    def any(cls) -> Ports:
        """Free ports only."""
        return cls(*(0 for _ in fields(cls)))

    def claim(self) -> Ports:
        """Return these ports, each 0 replaced by a free one; raises PortTakenError, which names who has it."""
        claimed = self
        with ExitStack() as listeners:  # all stay open until all are chosen, so that no port is chosen twice
            for field in fields(self):
                listener = listeners.enter_context(socket.socket())
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                port = getattr(self, field.name)
                try:
                    listener.bind((HOST, port))
                    listener.listen()
                except OSError as error:
                    if error.errno != errno.EADDRINUSE:
                        raise
                    raise PortTakenError(_message(field.name, port)) from None
                claimed = replace(claimed, **{field.name: listener.getsockname()[1]})
        return claimed


def _message(name: str, port: int) -> str:
    pid = owner(port)
    who = f"pid {pid} ({_command(pid)})" if pid else "a process of another user"
    return f"port {port} is taken by {who}; end it, or choose another port with TAPEDECK_PORT_{name.upper()}="


def owner(port: int) -> int | None:
    """Return the pid of the process that listens on loopback port `port`, if /proc shows it."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[3] == "0A" and int(columns[1].rpartition(":")[2], 16) == port:  # 0A: listening
            inodes.add(f"socket:[{columns[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(entry.readlink()) in inodes for entry in (process / "fd").iterdir()):
                return int(process.name)
        except OSError:  # it ended, or it is not ours to look at
            continue
    return None


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()[:80]
    except OSError:
        return "ended meanwhile"
