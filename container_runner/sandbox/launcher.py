"""The first thing that runs in the strategy's container, here and in the cluster alike.

It confines itself, forks the strategy's host off, cuts the child's output into log segments and says last, in
`exit.bin`, how the child ended. It is as hostile as its child: the same uid, and what it writes is a claim.
"""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

import contract
from sandbox import policy
from sandbox.confine import confine
from sandbox.pump import Segments, pump

_PIPE_BYTES = 1 << 20
EXIT_NOT_CONFINED = 78  # the platform's failure: nothing of the strategy has run
_COERCED = "LC_CTYPE"  # Python itself may add it


def run(play: Callable[[], int], out: Path) -> int:
    """Run `play` to its end in a child process, its output and its exit in `out`; return the child's wait status.

    In the child this does not return: it raises `SystemExit` with what `play` returned. A SIGTERM is told as the
    machine's only if it came through us: one of the child's own doing is an exit with 143.
    """
    child, pipes = _start()
    if not child:
        raise SystemExit(play())
    streams = {fd: Segments(out, name) for fd, name in zip(pipes, ("stdout", "stderr"), strict=True)}
    status: list[int] = []
    used: list[resource.struct_rusage] = []
    told: list[int] = []

    def ended() -> bool:
        pid, code, usage = os.wait4(child, os.WNOHANG)
        if pid:
            status.append(code)
            used.append(usage)
        return bool(pid)

    def forward(number: int, _: FrameType | None) -> None:
        told.append(number)
        if not status:
            os.kill(child, number)

    wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, forward)
    pump(streams, wake, ended)
    its_own = os.waitstatus_to_exitcode(status[0]) == -signal.SIGTERM and not told
    end = (128 + signal.SIGTERM) << 8 if its_own else status[0]
    _write_exit(out, end, used[0])
    return end


def _start() -> tuple[int, list[int]]:
    """Fork; return 0 in the child, else its pid and where its stdout and stderr come out, non-blocking.

    A fork, for a second interpreter's start is a fifth of what a run waits for. The child has nothing to read.
    """
    pipes = [os.pipe() for _ in range(2)]
    for _, write in pipes:
        with suppress(OSError):  # a larger pipe is faster, and no more than that
            fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    pid = os.fork()
    if not pid:
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, fd in enumerate((nothing, pipes[0][1], pipes[1][1])):
            os.dup2(fd, number)
        for fd in (nothing, *pipes[0], *pipes[1]):
            os.close(fd)
        return 0, []
    for read, write in pipes:
        os.close(write)
        os.set_blocking(read, False)
    return pid, [read for read, _ in pipes]


def _write_exit(out: Path, status: int, used: resource.struct_rusage) -> None:
    temporary = out / "exit.bin.tmp"
    peak, cpu = used.ru_maxrss * 1024, round((used.ru_utime + used.ru_stime) * 1e6)
    try:
        temporary.write_bytes(contract.EXIT.pack(contract.EXIT_MAGIC, status, peak, cpu))
        temporary.rename(out / "exit.bin")
    except OSError as error:  # the strategy filled or blocked its own folder: the container's exit code still says it
        print(f"exit.bin: {error}", file=sys.stderr)  # noqa: T201


def main() -> int:
    """Confine, run the strategy's host, return the code to leave with: the child's, or 128 + its signal.

    The environment is the policy's and nothing else, from the interpreter's start on: PYTHONHASHSEED must hold in it.
    Where a cluster has added to it, this starts again.
    """
    rules = policy.load()
    if {name: value for name, value in os.environ.items() if name != _COERCED} != rules.environment:
        os.execve(sys.executable, sys.orig_argv, rules.environment)  # noqa: S606 - itself
    try:
        confine(rules)
    except (OSError, KeyError, ValueError) as error:
        print(f"cannot confine the strategy: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_NOT_CONFINED
    code = os.waitstatus_to_exitcode(run(_host, Path(contract.OUT)))
    return code if code >= 0 else 128 - code


def _host() -> int:
    # Not before: what the host imports is the strategy's to change, and none of it is the launcher's.
    from sandbox import runner  # noqa: PLC0415

    return runner.main([])


if __name__ == "__main__":
    sys.exit(main())
