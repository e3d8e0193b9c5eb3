"""Parquet from outside is opened in a child process with limits, and comes from there as plain CSV."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import BinaryIO, cast

import pyarrow as pa

from tapedeck.market.vendor.parquet_child import NOT_PARQUET, OUT_OF_MEMORY

_ROOTS = (Path(__file__).resolve().parents[3], Path(pa.__file__).resolve().parents[1])  # tapedeck's, pyarrow's
_START = (
    "import sys; sys.path[:0] = sys.argv[1:3]; from tapedeck.market.vendor.parquet_child import main; "
    "main(sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))"
)
_ENVIRONMENT = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OPENBLAS_NUM_THREADS": "1"}
_HANDED_ON = ("LD_LIBRARY_PATH",)  # where Lambda's interpreter finds itself


class ParquetError(Exception):
    """The file does not read as Parquet within the limits."""


@dataclass(frozen=True)
class Limits:
    """What the child may take."""

    memory_bytes: int = 1024 * 1024 * 1024
    cpu_seconds: int = 600
    wall_seconds: float = 780.0  # below the ingest function's own 900


@contextmanager
def as_csv(path: Path, limits: Limits | None = None) -> Iterator[BinaryIO]:
    """Give the file's flat columns as CSV, a stream of it. Raises ParquetError at the end when it was not whole."""
    limits = limits or Limits()
    command = [sys.executable, "-I", "-S", "-B", "-c", _START, *map(str, _ROOTS), str(path.resolve())]
    command += [str(limits.memory_bytes), str(limits.cpu_seconds)]
    environment = _ENVIRONMENT | {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
    child = subprocess.Popen(  # noqa: S603 - our own interpreter on our own module
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd="/",
    )
    timer = Timer(limits.wall_seconds, child.kill)
    timer.daemon = True
    timer.start()
    with child:
        try:
            yield cast(BinaryIO, child.stdout)
        except BaseException:
            child.kill()
            raise
        finally:
            timer.cancel()
        _check(child)


def _check(child: subprocess.Popen[bytes]) -> None:
    if child.stdout and child.stdout.read(1):  # whoever read it had enough
        child.kill()
        return
    said = child.stderr.read(1000).decode(errors="replace") if child.stderr else ""
    code = child.wait()
    if code == NOT_PARQUET:
        raise ParquetError(f"does not read as Parquet: {said}")
    if code == OUT_OF_MEMORY:
        raise ParquetError("needs too much memory to read: write it in smaller row groups")
    if code < 0:  # by the kernel, for time or memory, or a crash
        raise ParquetError("did not read within the limits of memory and time")
    if code:
        raise ChildProcessError(f"the process that reads Parquet failed to run: exit code {code}: {said}")
