import json
import time
from pathlib import Path
from typing import Any

import pytest

import contract
from sidecar import shipping
from sidecar.exchange import Exchange
from sidecar.logs import LogBook
from sidecar.shipping import LogShipper
from tapedeck.market.store import FolderStore

JOB = "0f8fad5b-d9cb-469f-a165-70867728950e"


class _Pod:
    def __init__(self, root: Path) -> None:
        self.out, self.runs = root / "out", root / "runs"
        self.out.mkdir()
        (root / "in").mkdir()
        self.store = FolderStore(self.runs)
        book = LogBook(head_bytes=10_000, tail_bytes=10_000, line_bytes=200)
        self.shipper = LogShipper(Exchange(root / "in", self.out), self.store, JOB, 1, book)

    def segment(self, stream: str, seq: int, body: bytes) -> None:
        (self.out / contract.log_segment(stream, seq)).write_bytes(body)

    def lines(self) -> list[dict[str, Any]]:
        parts = sorted((self.runs / f"runs/{JOB}/1/logs").glob("*.jsonl"))
        return [json.loads(line) for part in parts for line in part.read_text().splitlines()]


@pytest.fixture
def pod(tmp_path: Path) -> _Pod:
    return _Pod(tmp_path)


def test_segments_are_read_in_order_once_and_removed(pod: _Pod) -> None:
    for seq, body in ((1, b"two\n"), (0, b"one\n"), (2, b"three\n")):
        pod.segment("stdout", seq, body)
    pod.shipper.close()
    pod.shipper.close()
    assert [line["text"] for line in pod.lines()] == ["one", "two", "three"]
    assert list(pod.out.iterdir()) == []
    assert pod.shipper.parts == 1


def test_a_segment_that_comes_again_under_an_old_number_is_not_read(pod: _Pod) -> None:
    pod.segment("stdout", 3, b"three\n")
    pod.shipper._collect()
    pod.segment("stdout", 3, b"forged\n")
    pod.segment("stdout", 0, b"forged\n")
    pod.shipper.close()
    assert [line["text"] for line in pod.lines()] == ["three"]
    assert list(pod.out.iterdir()) == []


def test_links_folders_and_large_files_in_place_of_segments_are_passed_over(pod: _Pod) -> None:
    (pod.out / contract.log_segment("stdout", 0)).symlink_to("/etc/passwd")
    (pod.out / contract.log_segment("stdout", 1)).mkdir()
    pod.segment("stdout", 2, b"x" * (contract.LOG_SEGMENT_BYTES + 1))
    pod.segment("stdout", 3, b"honest\n")
    pod.shipper.close()
    assert [line["text"] for line in pod.lines()] == ["honest"]


def test_a_log_can_be_followed_while_the_run_goes_on(pod: _Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "UPLOAD_EVERY_S", 0.0)
    pod.shipper.start()
    pod.segment("stdout", 0, b"early\n")
    until = time.monotonic() + 10
    while not pod.lines() and time.monotonic() < until:
        time.sleep(0.02)
    assert [line["text"] for line in pod.lines()] == ["early"]
    pod.segment("stderr", 0, b"late")
    pod.shipper.close()
    assert [(line["seq"], line["text"]) for line in pod.lines()] == [(0, "early"), (1, "late")]
    assert pod.shipper.parts == 2
    assert pod.shipper.last_lines("stderr") == ["late"]


def test_lines_wait_when_the_store_fails_and_go_out_with_the_next_try(
    pod: _Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod.segment("stdout", 0, b"one\n")
    with monkeypatch.context() as broken:
        broken.setattr(pod.store, "put", lambda *_: (_ for _ in ()).throw(OSError("gone")))
        with pytest.raises(OSError, match="gone"):
            pod.shipper.close()
    pod.shipper.close()
    assert [line["text"] for line in pod.lines()] == ["one"]
