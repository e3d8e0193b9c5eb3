"""The controls: the very attacks that the sandbox stops succeed where nothing stops them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.conftest import ROOT
from tests.sandbox.hostile.conftest import Bait
from tests.sandbox.hostile.run import STRATEGIES, outcomes

NOBODY_ELSE = 64_998  # a user who owns nothing but what the test gives


@pytest.fixture(scope="module")
def undefended(bait: Bait, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    if os.geteuid() != 0:
        pytest.skip("the control changes its user")
    folder = tmp_path_factory.mktemp("dummy")
    dummy = folder / "contract.py"
    dummy.write_text("")
    for path in (folder, dummy):
        os.chown(path, NOBODY_ELSE, NOBODY_ELSE)
    facts = {"canary": str(bait.canary), "port": bait.port, "abstract": bait.abstract}
    facts |= {"file": str(dummy), "folder": str(folder)}
    control = Path(__file__).with_name("control.py")
    before = list(bait.callers)
    done = subprocess.run(
        [sys.executable, "-B", str(control), str(STRATEGIES), str(NOBODY_ELSE), json.dumps(facts)],
        env={"PYTHONPATH": str(ROOT / "container_runner"), "PATH": "", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    called = bait.callers[len(before) :]
    bait.callers[:] = before
    assert done.returncode == 0, done.stderr
    return {**outcomes(done.stdout.splitlines()), "called": ",".join(called)}


@pytest.mark.parametrize(
    ("attempt", "outcome"),
    [
        ("read the host's canary", "DONE 'a secret of the host'"),
        ("TCP socket", "DONE"),
        ("UDP socket", "DONE"),
        ("TCP to the host's listener", "DONE b'hello'"),
        ("Unix socket of the host", "DONE"),
        ("called", "tcp,unix"),
        ("write the contract", "DONE"),
        ("remove the contract", "DONE"),
        ("ptrace attach to the parent", "DONE 0"),
        ("unshare user and mounts", "DONE 0"),
        ("mount a tmpfs", "DONE 0"),
    ],
)
def test_without_the_sandbox_the_attack_succeeds(undefended: dict[str, str], attempt: str, outcome: str) -> None:
    assert undefended[attempt] == outcome


def test_without_the_sandbox_the_disk_takes_a_terabyte_and_other_processes_show(undefended: dict[str, str]) -> None:
    assert next(how for what, how in undefended.items() if what.startswith("a sparse terabyte")) == "DONE"
    assert undefended["see a process that is not ours"].startswith("DONE [")
