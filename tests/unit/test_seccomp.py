"""The filter, run by a small interpreter of classic BPF, and once by the kernel itself."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import policy, seccomp

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
DENIED = policy.load().denied_syscalls
MACHINES = sorted(seccomp.ARCHITECTURES)
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def verdict(machine: str, nr: int, argument: int = 0, audit: int | None = None) -> int:
    program = list(struct.iter_unpack("HBBI", seccomp.program(machine, DENIED)))
    data = {0: nr, 4: seccomp.ARCHITECTURES[machine].audit if audit is None else audit, 16: argument}
    at, accumulator = 0, 0
    while True:
        code, yes, no, operand = program[at]
        at += 1
        if code == 0x06:
            return int(operand)
        if code == 0x20:
            accumulator = data[operand]
            continue
        true = {0x15: accumulator == operand, 0x35: accumulator >= operand, 0x45: bool(accumulator & operand)}[code]
        at += yes if true else no


@pytest.mark.parametrize("machine", MACHINES)
def test_every_denied_call_is_refused_with_eperm(machine: str) -> None:
    column = seccomp.ARCHITECTURES[machine].column
    for name in DENIED:
        number = seccomp.NUMBERS[name][column]
        assert number is None or verdict(machine, number) == EPERM, name


@pytest.mark.parametrize("machine", MACHINES)
def test_only_unix_sockets_may_be_made(machine: str) -> None:
    number = seccomp.ARCHITECTURES[machine].socket
    assert verdict(machine, number, 1) == ALLOW
    assert {verdict(machine, number, family) for family in (0, 2, 10, 16, 17, 40)} == {EPERM}


@pytest.mark.parametrize("machine", MACHINES)
def test_threads_and_forks_may_be_cloned_but_no_namespace(machine: str) -> None:
    arch = seccomp.ARCHITECTURES[machine]
    assert verdict(machine, arch.clone, 0x003D0F00) == ALLOW  # pthread_create's flags
    assert verdict(machine, arch.clone, 17) == ALLOW  # fork
    assert {verdict(machine, arch.clone, 1 << bit | 17) for bit in (17, 25, 26, 27, 28, 29, 30)} == {EPERM}
    assert verdict(machine, arch.clone3) == ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
def test_a_foreign_instruction_set_is_killed_and_ordinary_calls_pass(machine: str) -> None:
    assert verdict(machine, 0, audit=0x40000003) == KILL  # i386
    assert {verdict(machine, number) for number in (0, 1, 9, 202, 257)} == {ALLOW}


def test_an_x32_call_is_refused_on_x86_64() -> None:
    assert verdict("x86_64", 0x40000000 | 165) == EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_those_of_the_kernel_headers(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("no kernel headers on this machine")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[machine].read_text())
    real = {name: int(number) for name, number in found}
    arch = seccomp.ARCHITECTURES[machine]
    ours = {name: numbers[arch.column] for name, numbers in seccomp.NUMBERS.items()}
    ours |= {"clone": arch.clone, "clone3": arch.clone3, "socket": arch.socket}
    assert {name: real.get(name) for name in ours} == ours


def test_an_unknown_name_is_not_passed_over() -> None:
    with pytest.raises(KeyError):
        seccomp.program("x86_64", ["mout"])


PROBE = """
import ctypes, errno, socket, threading, subprocess, sys
from sandbox import confine, policy
confine.drop_privileges()
confine.seccomp.install(policy.load().denied_syscalls)
t = threading.Thread(target=lambda: None); t.start(); t.join()
subprocess.run([sys.executable, "-c", "pass"], check=True)
socket.socketpair()
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
    try: socket.socket(family, socket.SOCK_DGRAM)
    except PermissionError: continue
    sys.exit("socket")
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x10000000) != -1 or ctypes.get_errno() != errno.EPERM: sys.exit("unshare")
print("confined", end="")
"""


def test_the_kernel_takes_the_filter_and_python_still_works() -> None:
    code = f"import sys; sys.path[:0] = {sys.path!r}\n{PROBE}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ("confined", "")
