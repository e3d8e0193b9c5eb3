import threading
import time
from pathlib import Path

import pytest

import contract
from sidecar import watch
from sidecar.exchange import Exchange
from sidecar.failures import DrainedError, RunError
from sidecar.watch import ProcessEndedError, VanishedError, Watch


class _Pod:
    def __init__(self, root: Path) -> None:
        self.out = root / "out"
        self.out.mkdir()
        (root / "in").mkdir()
        self.terminated = threading.Event()
        self.exchange = Exchange(root / "in", self.out)
        self.watch = Watch(self.exchange, time.monotonic() + 0.2, self.terminated)

    def exit(self, status: int) -> None:
        (self.out / "exit.bin").write_bytes(contract.EXIT.pack(contract.EXIT_MAGIC, status, 0, 0))


@pytest.fixture
def pod(tmp_path: Path) -> _Pod:
    return _Pod(tmp_path)


def test_what_is_expected_is_taken_once(pod: _Pod) -> None:
    (pod.out / "x").write_bytes(b"12345678")
    assert pod.watch.take("x", 8, "x") == b"12345678"
    assert list(pod.out.iterdir()) == []


@pytest.mark.parametrize("body", [b"1234567", b"123456789", b""])
def test_another_size_is_the_codes_failure_and_says_what_was_expected(pod: _Pod, body: bytes) -> None:
    (pod.out / "x").write_bytes(body)
    with pytest.raises(RunError, match="expected 8 bytes") as failed:
        pod.watch.take("x", 8, "x")
    assert failed.value.kind == "CODE"


def test_silence_until_the_deadline_is_a_timeout(pod: _Pod) -> None:
    with pytest.raises(RunError, match="decisions on chunk 3 did not come") as failed:
        pod.watch.take("x", 8, "decisions on chunk 3")
    assert failed.value.kind == "TIMEOUT"


def test_what_was_written_before_the_process_ended_still_counts(pod: _Pod) -> None:
    (pod.out / "x").write_bytes(b"12345678")
    pod.exit(0)
    assert pod.watch.take("x", 8, "x") == b"12345678"
    with pytest.raises(ProcessEndedError):
        pod.watch.take("x", 8, "x")


def test_sigterm_after_a_strategy_that_had_to_go_drains(pod: _Pod) -> None:
    pod.terminated.set()
    pod.exit(15)
    with pytest.raises(DrainedError):
        pod.watch.take("x", 8, "x")


def test_sigterm_after_a_strategy_that_left_no_exit_is_for_the_pods_status_to_name(
    pod: _Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "DRAIN_FOLLOWS_S", 0.05)
    pod.terminated.set()
    with pytest.raises(VanishedError):
        pod.watch.take("x", 8, "x")


def test_a_strategy_that_still_lives_at_sigterm_is_told_to_stop(pod: _Pod) -> None:
    pod.terminated.set()
    timer = threading.Timer(0.1, lambda: (pod.out.parent / "in/stop").exists() and pod.exit(0))
    timer.start()
    with pytest.raises(DrainedError):
        pod.watch.take("x", 8, "x")
    timer.join()


def test_a_strategy_that_had_left_before_it_was_told_to_stop_was_not_drained(pod: _Pod) -> None:
    pod.exit(0)
    pod.terminated.set()
    with pytest.raises(ProcessEndedError):
        pod.watch.check()


def test_a_crash_is_a_crash_although_sigterm_follows(pod: _Pod) -> None:
    pod.exit(1 << 8)
    pod.terminated.set()
    with pytest.raises(ProcessEndedError):
        pod.watch.take("x", 8, "x")


def test_a_process_that_sigterm_ended_was_drained_if_ours_follows(pod: _Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    pod.exit(15)
    timer = threading.Timer(0.1, pod.terminated.set)
    timer.start()
    with pytest.raises(DrainedError):
        pod.watch.take("x", 8, "x")
    timer.join()
    pod.terminated.clear()
    monkeypatch.setattr(watch, "DRAIN_FOLLOWS_S", 0.05)
    with pytest.raises(ProcessEndedError):
        pod.watch.take("x", 8, "x")


def test_a_forged_sigterm_that_the_launchers_own_word_replaces_drains_nothing(pod: _Pod) -> None:
    pod.exit(15)
    ending = threading.Timer(0.05, lambda: (pod.exit(1 << 8), pod.terminated.set()))
    ending.start()
    with pytest.raises(ProcessEndedError):
        pod.watch.take("x", 8, "x")
    ending.join()
