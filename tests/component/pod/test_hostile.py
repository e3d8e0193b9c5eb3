"""Strategies that do what they should not: ignored or named, never believed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import run_objects
from sandbox import policy
from tapedeck.market.snapshot import Snapshot
from tests.component.pod.halves import WHOLE, Pod, failure, manifest
from tests.component.pod.honest import HONEST, attack

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory, market: tuple[Path, Snapshot]) -> run_objects.Result:
    root = tmp_path_factory.mktemp("honest")
    (root / "market").symlink_to(market[0])
    pod = Pod(root / "pod")
    assert pod.run(manifest(market[1].id, HONEST), HONEST)["type"] == "COMPLETED"
    return pod.result()


def failed(pod: Pod, market: tuple[Path, Snapshot], code: str, **limits: Any) -> run_objects.RunFailure:
    return failure(pod, manifest(market[1].id, code), code, **limits)


@pytest.mark.parametrize(
    "made",
    [
        "os.symlink('/etc/passwd', path(0))",
        "os.mkfifo(path(0))",
        "os.mkdir(path(0))",
        "open(OUT + '/x', 'wb').write(bytes(8 * 3 * 22)); os.link(OUT + '/x', path(0))",
        "open(path(0) + 'x', 'wb').write(b'short'); os.rename(path(0) + 'x', path(0))",
        "f = open(path(0) + 'x', 'wb'); f.truncate(1 << 40); f.close(); os.rename(path(0) + 'x', path(0))",
    ],
    ids=["symbolic link", "fifo", "folder", "hard link", "short", "terabyte"],
)
def test_decisions_that_are_no_plain_file_of_the_exact_size_fail_the_run_by_name(
    pod: Pod, market: tuple[Path, Snapshot], made: str
) -> None:
    named = failed(pod, market, attack(made, "time.sleep(60)"))
    assert named["kind"] == "CODE"
    assert "decisions-000000.bin" in named["message"] and "expected 528 bytes" in named["message"]


@pytest.mark.parametrize(
    "made",
    [
        "open(path(index + 1), 'wb').write(os.urandom(8 * 3 * 21))",
        "open(path(max(0, index - 1)), 'wb').write(os.urandom(8 * 3 * 22)) if index else None",
        "open(OUT + '/failure.json', 'w').write('{}')",
        "[open(f'{OUT}/{i}.bin', 'w').close() for i in range(300)]; os.mkdir(f'{OUT}/dir{index}')",
        "os.path.exists(OUT + '/log-stdout-000500.bin') or os.symlink('/etc/passwd', OUT + '/log-stdout-000500.bin')",
    ],
    ids=["decisions before the bars", "decisions after the seal", "a failure that is none", "rubbish", "a false log"],
)
def test_what_is_not_expected_changes_nothing(
    pod: Pod, market: tuple[Path, Snapshot], honest: run_objects.Result, made: str
) -> None:
    code = attack(made)
    last = pod.run(manifest(market[1].id, code), code)
    assert last["type"] == "COMPLETED", last
    assert pod.result()["result_digest"] == honest["result_digest"]
    assert not any("root:" in line["text"] for line in pod.log())


def test_infinite_weights_are_named_with_bar_and_symbol(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    code = attack(
        "sys.modules['sandbox.runner'].as_decisions = lambda value, *_, **__: value",
        "if index == 1:",
        "    w = bars.close * 0",
        "    w[2, 1] = float('inf')",
        "    return w",
    )
    named = failed(pod, market, code)
    assert named["kind"] == "CODE"
    assert named["message"] == "the weight of IBM at bar 2020-04-03T13:30+00:00 is infinite"


def test_an_exception_in_the_middle_names_file_and_line_and_the_log_has_the_traceback(
    pod: Pod, market: tuple[Path, Snapshot]
) -> None:
    code = attack("if index == 2: raise KeyError('x')")
    named = failed(pod, market, code)
    assert (named["kind"], named["file"], named["line"]) == ("CODE", "strategy.py", 14)
    what, where = named["message"].split("\n")
    assert what == "KeyError: 'x'"
    assert re.fullmatch(r"in weights\(bars\) on the bars from 2020-05-01 13:30 to 2020-05-29 13:30 UTC, .*", where)
    assert named["traceback"] and "in weights" in named["traceback"]
    assert any(line["stream"] == "stderr" and "KeyError" in line["text"] for line in pod.log())


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("os._exit(0)", "left before its last decision (exit code 0): last words"),
        ("os._exit(3)", "left with exit code 3: last words"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed (SIGKILL): last words"),
        ("os.abort()", "was killed (SIGABRT)"),
        ("open(OUT + '/failure.json', 'w').write('x' * 10**7); os._exit(4)", "exit code 4"),
        ("open(OUT + '/failure.json', 'w').write('[' * 10**4); os._exit(4)", "exit code 4"),
        ("os.symlink('/etc/passwd', OUT + '/failure.json'); os._exit(4)", "exit code 4"),
        (
            'open(OUT + \'/failure.json\', \'w\').write(\'{"kind": "CODE", "kind": "LIMIT"}\'); os._exit(4)',
            "exit code 4",
        ),
    ],
)
def test_a_process_that_ends_early_is_named_by_its_exit(
    pod: Pod, market: tuple[Path, Snapshot], made: str, words: str
) -> None:
    named = failed(pod, market, attack("print('last words', file=sys.stderr)", made))
    assert named["kind"] == "CODE" and words in named["message"]


def test_a_claim_of_another_kind_than_the_strategys_own_is_not_believed(
    pod: Pod, market: tuple[Path, Snapshot]
) -> None:
    claim = {"kind": "PLATFORM", "message": "retry me", "file": None, "line": None, "cell": None, "traceback": ""}
    named = failed(pod, market, attack(f"json.dump({claim!r}, open(OUT + '/failure.json', 'w')); os._exit(5)"))
    assert named["kind"] == "CODE" and "exit code 5" in named["message"]


def test_a_memory_error_is_out_of_memory_with_peak_and_limit(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    code = attack(
        "import resource", "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))", "x = bytearray(3 << 30)"
    )
    named = failed(pod, market, code)
    assert named["kind"] == "OUT_OF_MEMORY"
    assert "2048 MiB of addresses allowed" in named["message"] and "MiB in memory at the peak" in named["message"]


def test_silence_is_a_timeout(tmp_path: Path, market: tuple[Path, Snapshot]) -> None:
    (tmp_path / "market").symlink_to(market[0])
    pod = Pod(tmp_path / "pod", deadline_seconds=6)
    code = attack("time.sleep(60)")
    named = failed(pod, market, code)
    assert named["kind"] == "TIMEOUT" and "chunk 0" in named["message"]


def test_a_log_flood_is_bounded_and_the_cut_is_stated(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    logs = {"head_bytes": 20_000, "tail_bytes": 20_000, "line_bytes": 200}
    code = attack(
        "if index == 0: [print('x' * 500) for _ in range(20_000)]",
        "if index == 5: time.sleep(1)",
        "print('the end', index)",
    )
    last = pod.run(manifest(market[1].id, code), code, logs=logs)
    assert last["type"] == "COMPLETED", last
    lines = pod.log()
    assert sum(len(line["text"]) for line in lines) < 50_000
    assert all(len(line["text"]) <= 220 for line in lines)
    assert any(line["stream"] == "platform" and "cut here" in line["text"] for line in lines)
    assert lines[-1]["text"] == "the end 5"


def test_a_lookback_that_does_not_fit_is_a_limit_with_sizes(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    code = HONEST + "    def lookback(self):\n        return 10**7\n"
    assert failed(pod, market, code)["kind"] == "LIMIT"


def test_a_chunk_that_does_not_fit_is_a_limit_with_sizes(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    process = {**policy.load().process, "file_size": 500}
    named = failed(pod, market, HONEST, process=process)
    assert named["kind"] == "LIMIT" and "3 symbols" in named["message"] and "MiB" in named["message"]


def test_a_failure_after_the_last_decision_is_a_failure(pod: Pod, market: tuple[Path, Snapshot]) -> None:
    code = "def main(run):\n    run.submit(run.bars().close * 0)\n    raise ValueError('late')\n"
    run = manifest(market[1].id, code, level="main", class_name=None, chunks=WHOLE)
    last = pod.run(run, code)
    assert last["failure"] is not None and last["failure"]["message"] == "ValueError: late"
    assert last["failure"]["line"] == 3


def test_patching_the_engine_in_its_own_process_changes_nothing(
    pod: Pod, market: tuple[Path, Snapshot], honest: run_objects.Result
) -> None:
    code = attack("import tapedeck.market.calendar, contract", "contract.EXIT_MAGIC = b'LIES'")
    last = pod.run(manifest(market[1].id, code), code)
    assert last["type"] == "COMPLETED", last
    assert pod.result()["result_digest"] == honest["result_digest"]
