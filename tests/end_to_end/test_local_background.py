"""`make up` and `make down`, as a person types them."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local.stack import ROOT


def test_the_stack_runs_in_the_background_until_it_is_ended_and_even_killed_leaves_no_process(
    assembly: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    state = tmp_path / "state"
    free = {f"TAPEDECK_PORT_{name}": "0" for name in ("GATEWAY", "AWS", "CLUSTER", "POSTGRES", "CACHE")}

    def local(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "infra.local", command],
            cwd=ROOT,
            env={**os.environ, **free, "TAPEDECK_STATE": str(state)},
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )

    request.addfinalizer(lambda: local("down"))  # a claim that fails leaves no stack running either

    def started() -> tuple[int, set[int]]:
        pid = json.loads((state / "stack.json").read_text())["pid"]
        return pid, {pid, *_children(pid)}

    assert local("status").returncode == 3
    up = local("up")
    assert up.returncode == 0, up.stderr
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:" in up.stdout
    for command in ("python -c", "tapedeck submit examples/crossover.py", "tapedeck report"):
        assert command in up.stdout
    api = json.loads((state / "stack.json").read_text())["api"]
    with pytest.raises(urllib.error.HTTPError, match="403") as refused:
        urllib.request.urlopen(f"{api}/v1/backtest", timeout=10)
    refused.value.close()

    pid, processes = started()
    os.kill(pid, signal.SIGKILL)
    _gone(processes)
    assert local("status").returncode == 3

    assert local("up").returncode == 0
    pid, processes = started()
    assert f"(pid {pid})" in local("up").stdout
    down = local("down")
    assert (down.returncode, down.stdout) == (0, "the stack has ended\n")
    _gone(processes)
    assert list(tmp_path.iterdir()) == []
    assert local("down").stdout == "no stack is running\n"


def _children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=True)
    return [int(line) for line in found.stdout.split()]


def _gone(processes: set[int]) -> None:
    """Wait until all of `processes` have ended; what nobody has reaped yet has ended too."""

    def alive(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    _until(lambda: not any(alive(pid) for pid in processes))


def _until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not what():
        assert time.monotonic() < deadline, "it did not happen in 15 s"
        time.sleep(0.1)
