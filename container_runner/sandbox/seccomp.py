"""The system call filter of the strategy's process: names from the policy, numbers from the tables here.

gVisor ignores a pod's `seccompProfile`, so the filter is installed from inside by `prctl`. It is a classic BPF program
over `struct seccomp_data` (nr at 0, arch at 4, low half of argument 0 at 16) and is inherited by every child.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

# x86-64 (asm/unistd_64.h), arm64 (asm-generic/unistd.h); None: the architecture has no such call.
NUMBERS: dict[str, tuple[int, int | None]] = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "fsconfig": (431, 431),
    "fspick": (433, 433),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "mount_setattr": (442, 442),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "acct": (163, 89),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "kcmp": (312, 272),
    "personality": (135, 92),
    "fanotify_init": (300, 262),
    "memfd_secret": (447, 447),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
}

_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000
_X32 = 0x40000000  # x86-64 only: numbers from here on are the x32 calls, which would pass by every comparison
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, -CGROUP, -UTS, -IPC, -USER, -PID, -NET

_LOAD, _JUMP_EQUAL, _JUMP_NOT_LESS, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NR, _ARCH, _ARGUMENT_0 = 0, 4, 16

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2


@dataclass(frozen=True)
class Architecture:
    """What the filter must know of an instruction set; `column` is its place in `NUMBERS`."""

    audit: int
    column: int
    clone: int
    clone3: int
    socket: int
    x32: bool


ARCHITECTURES = {
    "x86_64": Architecture(audit=0xC000003E, column=0, clone=56, clone3=435, socket=41, x32=True),
    "aarch64": Architecture(audit=0xC00000B7, column=1, clone=220, clone3=435, socket=198, x32=False),
}


def program(machine: str, denied: Iterable[str]) -> bytes:
    """Return the filter for `machine` as an array of `struct sock_filter`; raises `KeyError` for an unknown name."""
    arch = ARCHITECTURES[machine]
    refuse = _ERRNO | errno.EPERM
    code = [
        (_LOAD, 0, 0, _ARCH),
        (_JUMP_EQUAL, 1, 0, arch.audit),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NR),
    ]
    if arch.x32:
        code += [(_JUMP_NOT_LESS, 0, 1, _X32), (_RETURN, 0, 0, refuse)]
    numbers = (NUMBERS[name][arch.column] for name in denied)
    for number in (n for n in numbers if n is not None):
        code += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    # clone3 takes its flags in memory, where a filter cannot look: libc falls back to clone on ENOSYS.
    code += [(_JUMP_EQUAL, 0, 1, arch.clone3), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    code += [
        (_JUMP_EQUAL, 0, 2, arch.clone),
        (_LOAD, 0, 0, _ARGUMENT_0),
        (_JUMP_ANY_BIT, 3, 4, _NEW_NAMESPACES),
        (_JUMP_EQUAL, 0, 3, arch.socket),
        (_LOAD, 0, 0, _ARGUMENT_0),
        (_JUMP_EQUAL, 1, 0, socket.AF_UNIX),
        (_RETURN, 0, 0, refuse),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)


def install(denied: Iterable[str]) -> None:
    """Filter this process and all of its future children; needs no_new_privs. Raises `OSError`, `KeyError`."""
    code = program(os.uname().machine, denied)
    instructions = ctypes.create_string_buffer(code, len(code))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(instructions)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp filter: {os.strerror(number)}")
