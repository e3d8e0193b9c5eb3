"""What the launcher takes away from its own process, and so from the strategy, before any strategy code runs.

All of it works unprivileged, under gVisor and on a bare kernel, locally and in the cluster. In the cluster, sidecar and
strategy share one sentry and one network: there this is the line between them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sandbox import seccomp
from sandbox.policy import Policy

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_CAPABILITY_VERSION_3 = 0x20080522

_RLIMITS = {
    "address_space": resource.RLIMIT_AS,
    "open_files": resource.RLIMIT_NOFILE,
    "processes": resource.RLIMIT_NPROC,
    "file_size": resource.RLIMIT_FSIZE,
    "core": resource.RLIMIT_CORE,
}

_libc = ctypes.CDLL(None, use_errno=True)


def confine(policy: Policy) -> None:
    """Set limits, leave the network, drop privileges for good and filter system calls; raises `OSError`."""
    limit(policy.process)
    leave_network()
    drop_privileges()
    seccomp.install(policy.denied_syscalls)


def limit(limits: Mapping[str, int]) -> None:
    """Set each limit, hard = soft; a hard limit that is lower already stays. Raises `KeyError` for an unknown name."""
    for name, value in limits.items():
        which = _RLIMITS[name]
        hard = resource.getrlimit(which)[1]
        amount = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (amount, amount))


def leave_network() -> None:
    """Move into an own, empty network namespace.

    Where user namespaces are switched off the kernel says EPERM: the filter, which refuses every socket but AF_UNIX, is
    then what closes the network. Raises `OSError` for anything else.
    """
    uid, gid = os.getuid(), os.getgid()
    if _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET):
        number = ctypes.get_errno()
        if number in (errno.EPERM, errno.ENOSYS, errno.ENOSPC):  # ENOSPC: max_user_namespaces is reached, or 0
            return
        raise OSError(number, f"unshare: {os.strerror(number)}")
    with suppress(PermissionError):  # gVisor does not have it to write
        Path("/proc/self/setgroups").write_text("deny")  # Linux wants it before gid_map
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")  # else the uid shows as 65534
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def drop_privileges() -> None:
    """Give up every capability (those of the new user namespace too), and ever gaining one; raises `OSError`."""
    header = ctypes.create_string_buffer(struct.pack("Ii", _CAPABILITY_VERSION_3, 0))
    nothing = ctypes.create_string_buffer(24)
    _check(_libc.capset(header, nothing), "capset")
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _check(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable")


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
