import json
from typing import Any

import pytest

import contract
from sandbox.complaint import from_exception
from sidecar.failures import from_exit, read_claim
from tapedeck.engine.settings import EngineError, LimitError, PriceError, SizeError

HONEST: dict[str, Any] = {
    "kind": "CODE",
    "message": "ZeroDivisionError: division by zero",
    "file": "strategy.py",
    "line": 12,
    "cell": None,
    "traceback": "Traceback ...",
}


@pytest.mark.parametrize("kind", ["CODE", "OUT_OF_MEMORY", "LIMIT", "DATA"])
def test_a_claim_may_say_whose_fault_it_was(kind: str) -> None:
    failed = read_claim(json.dumps({**HONEST, "kind": kind}).encode())
    assert failed is not None and failed.kind == kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (PriceError("0"), "DATA"),
        (SizeError("0"), "CODE"),
        (LimitError("many"), "LIMIT"),
        (EngineError("x"), "CODE"),
        (MemoryError(), "OUT_OF_MEMORY"),
    ],
)
def test_what_the_engine_refuses_in_the_sandbox_is_claimed_as_whose_fault_it_is(error: Exception, kind: str) -> None:
    assert from_exception(error)["kind"] == kind


def test_an_honest_claim_is_read_as_it_is() -> None:
    failed = read_claim(json.dumps(HONEST).encode())
    assert failed is not None
    assert failed.as_failure(["last"]) == {**HONEST, "last_lines": ["last"]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        json.dumps({**HONEST, "kind": "PLATFORM"}).encode(),
        json.dumps({**HONEST, "kind": ["CODE"]}).encode(),
        json.dumps({**HONEST, "extra": 1}).encode(),
        json.dumps({k: v for k, v in HONEST.items() if k != "cell"}).encode(),
        json.dumps({**HONEST, "line": "12"}).encode(),
        json.dumps({**HONEST, "line": True}).encode(),
        json.dumps({**HONEST, "line": 1.5}).encode(),
        json.dumps({**HONEST, "line": float("nan")}).encode(),
        json.dumps({**HONEST, "line": float("inf")}).encode(),
        json.dumps(HONEST).replace("12", "1e400").encode(),
        json.dumps(HONEST).replace("12", "9" * 5000).encode(),
        json.dumps(HONEST).replace("12", "-1").encode(),
        json.dumps(HONEST)[:-1].encode() + b', "line": 13}',
        b"[" * 60_000,
        json.dumps({**HONEST, "message": "x" * contract.FAILURE_BYTES}).encode(),
    ],
    ids=range(19),
)
def test_what_is_not_exactly_a_failure_is_not_read(body: bytes) -> None:
    assert read_claim(body) is None


def test_strings_of_a_claim_lose_control_characters_and_are_cut() -> None:
    message = "\x1b[31mred\x00\u202eback\u2028line\ud800" + "x" * 5000
    failed = read_claim(json.dumps({**HONEST, "message": message, "file": "a\x07" * 300}).encode())
    assert failed is not None
    assert failed.message.startswith("[31mredbackline?xxx")
    assert len(failed.message) == 2000
    assert failed.file is not None and len(failed.file) == 255 and "\x07" not in failed.file


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (9, "was killed (SIGKILL)"),
        (64, "was killed (SIGRTMAX)"),
        (1 << 8, "left with exit code 1"),
        (0, "left before its last decision"),
        (0x7F, "in a way that nobody knows"),
        (-1, "the strategy's process"),
    ],
)
def test_any_wait_status_has_words(status: int, words: str) -> None:
    failed = from_exit(status, ["one", "last words", ""], "much")
    assert failed.kind == "CODE"
    assert words in failed.message and failed.message.endswith(": last words")
    assert failed.traceback == "one\nlast words\n"


@pytest.mark.parametrize("last", ["MemoryError", "MemoryError: Unable to allocate 8 GiB", "  what():  std::bad_alloc"])
def test_a_process_that_had_no_memory_left_for_a_claim_is_named_by_its_last_words(last: str) -> None:
    failed = from_exit(1 << 8, ["Traceback", last], "9 MiB at the peak, 10 MiB allowed")
    assert failed.kind == "OUT_OF_MEMORY"
    assert "(9 MiB at the peak, 10 MiB allowed)" in failed.message
