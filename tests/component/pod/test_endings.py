"""Attempts that are ended from outside, started again, or handed what is not theirs."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import contract
from sidecar import watch
from tapedeck.market.snapshot import Snapshot
from tests.component.pod.halves import Pod, manifest
from tests.component.pod.honest import HONEST, attack

pytestmark = pytest.mark.usefixtures("impatient")


def test_another_manifest_than_the_attempts_is_refused(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    settings = pod.submit(manifest(market[1].id, HONEST), HONEST)
    wrong = dataclasses.replace(settings, manifest_digest=hashlib.sha256(b"").hexdigest())
    pod.sidecar(wrong).run()
    [only] = pod.events()
    assert only["type"] == "FAILED" and only["failure"] is not None
    assert only["failure"]["kind"] == "PLATFORM" and wrong.manifest_digest in only["failure"]["message"]
    assert not (pod.inside / "run.json").exists()


def test_code_of_another_digest_is_refused(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    run = manifest(market[1].id, HONEST)
    settings = pod.submit(run, HONEST)
    pod.runs.put(run["code"]["key"], b"import os")
    pod.sidecar(settings).run()
    [only] = pod.events()
    assert only["failure"] is not None and only["failure"]["kind"] == "PLATFORM"
    assert not (pod.inside / "source").exists()


def _interrupted(pod: Pod, market: tuple[Path, Snapshot], end: Callable[[], None]) -> int:
    """Run until chunk 1 is being worked on, let `end` happen to the strategy, then terminate; return the exit code."""
    code = attack("print('working', flush=True)", "time.sleep(60 * index)")
    settings = pod.submit(manifest(market[1].id, code), code)
    codes: list[int] = []
    pod.start_strategy()
    sidecar = threading.Thread(target=lambda: codes.append(pod.sidecar(settings).run()))
    sidecar.start()
    until = time.monotonic() + 20
    while not (pod.inside / contract.chunk_header(1)).exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(1)  # the launcher writes a segment every 0.1 s
    end()
    pod.terminated.set()
    sidecar.join(20)
    pod.stop()
    assert [line["text"] for line in pod.log()] == ["working", "working"]
    return codes[0]


def test_sigterm_drains_the_attempt_after_its_logs(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    assert _interrupted(pod, market, pod.stop) == 0
    assert pod.events()[-1]["type"] == "DRAINED"


def test_a_container_killed_from_outside_leaves_its_logs_and_the_naming_to_the_pods_status(
    pod: Pod, market: tuple[Path, Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "DRAIN_FOLLOWS_S", 0.2)
    assert _interrupted(pod, market, pod.kill) == 1
    assert {e["type"] for e in pod.events()} == {"STARTED", "PROGRESS"}


def test_a_sidecar_that_is_started_again_does_not_begin_again(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    code = HONEST
    settings = pod.submit(manifest(market[1].id, code), code)
    (pod.out / "exit.bin").write_bytes(contract.EXIT.pack(contract.EXIT_MAGIC, 15, 0, 0))
    pod.terminated.set()
    assert pod.sidecar(settings).run() == 0
    assert [e["type"] for e in pod.events()] == ["STARTED", "DRAINED"]
    assert pod.sidecar(settings).run() == 0
    assert len(pod.events()) == 2
    (pod.state / "events.json").write_text('{"seq": 2, "ended": false}')
    assert pod.sidecar(settings).run() == 0
    last = pod.events()[-1]
    assert last["failure"] is not None and last["failure"]["kind"] == "PLATFORM"
    assert "restarted" in last["failure"]["message"]
