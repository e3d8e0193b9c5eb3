"""One cgroup a container, made before it starts: its limits, and what it took when it has ended.

runsc removes a cgroup that it made itself, and the count of OOM kills with it, so this one is ours. On cgroup v1 it
stands in every hierarchy, on v2 once. Where nothing is writable there is none, and the launcher's RLIMIT_AS is the
limit.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PIDS = 8192  # an outer net: 64 processes that all fork become 3,500 tasks of the sentry, which dies of fewer
_PERIOD_US = 100_000
_UNIFIED = Path("/sys/fs/cgroup")
_REMOVE_TRIES, _REMOVE_PAUSE_S = 100, 0.02  # EBUSY for some 100 ms after the last exit


@dataclass(frozen=True)
class Usage:
    """What a container took; None where the machine does not tell."""

    oom_kills: int
    peak_memory: int | None
    cpu_seconds: float | None


class Groups:
    """The cgroups below one name of ours, in each hierarchy."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.version = 2 if (_UNIFIED / "cgroup.controllers").exists() else 1
        self._hierarchies = _v1_hierarchies() if self.version == 1 else {"": _UNIFIED}

    def usable(self) -> bool:
        """Make our own level; return whether that was possible."""
        try:
            for controller, mounted in self._hierarchies.items():
                _make(mounted, mounted / self.name, controller)
            if self.version == 2:
                for folder in (_UNIFIED, _UNIFIED / self.name):
                    (folder / "cgroup.subtree_control").write_text("+cpu +memory +pids")
        except OSError:
            return False
        return bool(self._hierarchies)

    def create(self, container: str, memory: int, cpu_milli: int) -> Group:
        """Make a container's cgroup with its limits; raises `OSError`."""
        folders = {}
        for controller, mounted in self._hierarchies.items():
            folder = mounted / self.name / container
            _make(folder.parent, folder, controller)
            folders[controller] = folder
        group = Group(f"/{self.name}/{container}", folders, self.version)
        group.limit(memory, cpu_milli)
        return group

    def sweep(self) -> None:
        """Kill and remove what a server that died left behind."""
        for mounted in self._hierarchies.values():
            for folder in [*_below(mounted / self.name), mounted / self.name]:
                if folder.is_dir():
                    _kill(folder)
                    _remove(folder)


class Group:
    """One container's cgroup; `path` is what an OCI bundle calls it."""

    def __init__(self, path: str, folders: dict[str, Path], version: int) -> None:
        self.path = path
        self._folders = folders
        self._version = version

    def limit(self, memory: int, cpu_milli: int) -> None:
        """Set memory (bytes, swap included), CPU (thousandths) and tasks."""
        quota = _PERIOD_US * cpu_milli // 1000
        if self._version == 2:
            self._write("", "memory.max", str(memory))
            self._write("", "memory.swap.max", "0", optional=True)
            self._write("", "cpu.max", f"{quota} {_PERIOD_US}")
            self._write("", "pids.max", str(_PIDS))
            return
        self._write("memory", "memory.limit_in_bytes", str(memory))
        self._write("memory", "memory.memsw.limit_in_bytes", str(memory), optional=True)
        self._write("cpu", "cpu.cfs_period_us", str(_PERIOD_US))
        self._write("cpu", "cpu.cfs_quota_us", str(quota))
        self._write("pids", "pids.max", str(_PIDS))

    def entries(self) -> list[str]:
        """Return the files that a process writes 0 to, to enter."""
        return [str(folder / "cgroup.procs") for folder in self._folders.values()]

    def command(self, command: Sequence[str]) -> list[str]:
        """Return a command line that enters this cgroup and becomes `command`."""
        enter = 'while [ "$1" != -- ]; do echo 0 > "$1" || exit 128; shift; done; shift; exec "$@"'
        return ["/bin/sh", "-c", enter, "enter", *self.entries(), "--", *command]

    def usage(self) -> Usage:
        """Return what was taken; to be asked before `remove`."""
        if self._version == 2:
            cpu = self._number("", "cpu.stat", "usage_usec")
            oom, peak = self._number("", "memory.events", "oom_kill"), self._number("", "memory.peak")
            return Usage(oom or 0, peak, None if cpu is None else cpu / 1e6)
        cpu = self._number("cpuacct", "cpuacct.usage")
        oom = self._number("memory", "memory.oom_control", "oom_kill")
        return Usage(oom or 0, self._number("memory", "memory.max_usage_in_bytes"), None if cpu is None else cpu / 1e9)

    def remove(self) -> None:
        """Kill what is left inside and take the cgroup away."""
        for folder in self._folders.values():
            _kill(folder)
        for folder in self._folders.values():
            _remove(folder)

    def _write(self, controller: str, name: str, value: str, *, optional: bool = False) -> None:
        path = self._folders[controller] / name
        if not optional or path.exists():
            path.write_text(value)

    def _number(self, controller: str, name: str, key: str | None = None) -> int | None:
        """Return a file's number, or that of the line beginning with `key`."""
        try:
            text = (self._folders[controller] / name).read_text()
        except (OSError, KeyError):
            return None
        if key is None:
            return int(text)
        return next((int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{key} ")), None)


def _v1_hierarchies() -> dict[str, Path]:
    """Return where each controller of cgroup v1 is mounted; several may share a mount."""
    found = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if kind == "cgroup":
            where = Path(left.split()[4])
            named = next((one for one in options.split(",") if one.startswith("name=")), None)
            for controller in [named] if named else where.name.split(","):
                found[controller] = where
    return found


def _make(parent: Path, folder: Path, controller: str) -> None:
    folder.mkdir(exist_ok=True)
    if controller == "cpuset":  # empty ones refuse every process
        for name in ("cpuset.cpus", "cpuset.mems"):
            (folder / name).write_text((parent / name).read_text())


def _below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("*") if path.is_dir())


def _kill(folder: Path) -> None:
    with suppress(OSError):
        for pid in (folder / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def _remove(folder: Path) -> None:
    for _ in range(_REMOVE_TRIES):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(_REMOVE_PAUSE_S)
        else:
            return
