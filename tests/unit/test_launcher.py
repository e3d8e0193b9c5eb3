"""The launcher's run: output in segments, the exit last, bounded whatever the child prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

import contract
from sandbox import policy
from sandbox.pump import Segments

LAUNCH = """
import json, resource, sys
from pathlib import Path
from sandbox import launcher
def play():
    exec(sys.argv[1], {})
    return 0
status = launcher.run(play, Path(sys.argv[2]))
used = resource.getrusage(resource.RUSAGE_SELF)
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(json.dumps([status, peak, used.ru_utime + used.ru_stime]))
"""


def start(code: str, out: Path) -> subprocess.Popen[str]:
    launch = f"import sys; sys.path[:0] = {sys.path!r}\n{LAUNCH}"
    return subprocess.Popen([sys.executable, "-c", launch, code, str(out)], stdout=subprocess.PIPE, text=True)


@dataclass(frozen=True)
class Finished:
    status: int  # as of os.waitpid
    peak_kib: int  # of the launcher since its exec (ru_maxrss counts pytest's too), like its CPU seconds
    cpu_seconds: float


def finish(process: subprocess.Popen[str]) -> Finished:
    output, _ = process.communicate(timeout=30)
    return Finished(*json.loads(output))


def log(out: Path, stream: str) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(out.glob(f"log-{stream}-*.bin")))


def test_both_streams_and_the_exit_arrive_in_their_own_files(tmp_path: Path) -> None:
    code = "import sys; print(repr(sys.stdin.read())); print('bad', file=sys.stderr); sys.exit(3)"
    status = finish(start(code, tmp_path)).status
    assert os.waitstatus_to_exitcode(status) == 3
    assert log(tmp_path, "stdout") == b"''\n", "there is nothing to read"
    assert log(tmp_path, "stderr") == b"bad\n"
    magic, *said = contract.EXIT.unpack((tmp_path / "exit.bin").read_bytes())
    assert (magic, said[0]) == (contract.EXIT_MAGIC, status)
    assert said[1] > 1 << 20 and said[2] > 0, "peak bytes and CPU microseconds of the child"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["exit.bin", "log-stderr-000000.bin", "log-stdout-000000.bin"]


def test_a_child_that_raises_says_so_and_ends_with_1(tmp_path: Path) -> None:
    status = finish(start("raise ValueError('here')", tmp_path)).status
    assert os.waitstatus_to_exitcode(status) == 1
    assert log(tmp_path, "stderr").endswith(b"ValueError: here\n")


def test_an_environment_with_more_than_the_policys_is_left_behind_by_a_new_start() -> None:
    shown = "import json, os, sys; print(json.dumps([dict(os.environ), hash('a')])); sys.exit(0)"
    code = f"import os, sys; sys.path[:0] = {sys.path!r}\nfrom sandbox import launcher, policy\n"
    code += f"sys.orig_argv = [sys.executable, '-c', {shown!r}]\nlauncher.main()"
    wide = {**policy.load().environment, "KUBERNETES_SERVICE_HOST": "10.0.0.1", "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=wide, capture_output=True, text=True, check=True, timeout=30
    )
    seen, hashed = json.loads(done.stdout)
    assert seen == policy.load().environment
    again = subprocess.run(
        [sys.executable, "-c", shown], env=seen, capture_output=True, text=True, check=True, timeout=30
    )
    assert json.loads(again.stdout)[1] == hashed, "strings hash alike in every run"


def test_a_line_shows_while_the_child_still_runs_and_sigterm_reaches_it(tmp_path: Path) -> None:
    code = "import signal, sys; signal.signal(15, lambda *_: sys.exit(75)); print('here', flush=True); signal.pause()"
    process = start(code, tmp_path)
    deadline = time.monotonic() + 10
    while log(tmp_path, "stdout") != b"here\n" and time.monotonic() < deadline:
        time.sleep(0.02)
    process.terminate()
    status = finish(process).status
    assert os.waitstatus_to_exitcode(status) == 75
    assert log(tmp_path, "stdout") == b"here\n"


def test_a_signal_that_ends_the_child_is_told(tmp_path: Path) -> None:
    status = finish(start("import os; os.kill(os.getpid(), 9)", tmp_path)).status
    assert os.waitstatus_to_exitcode(status) == -9


def test_a_sigterm_of_the_childs_own_doing_is_not_the_machines(tmp_path: Path) -> None:
    status = finish(start("import os; os.kill(os.getpid(), 15)", tmp_path)).status
    assert os.waitstatus_to_exitcode(status) == 143


def test_a_sigterm_from_outside_ends_the_child_and_is_told_as_one(tmp_path: Path) -> None:
    process = start("print('here', flush=True); __import__('time').sleep(20)", tmp_path)
    deadline = time.monotonic() + 10
    while log(tmp_path, "stdout") != b"here\n" and time.monotonic() < deadline:
        time.sleep(0.02)
    process.terminate()
    assert os.waitstatus_to_exitcode(finish(process).status) == -15


def test_a_flood_that_nobody_reads_costs_neither_disk_nor_memory_nor_the_end(tmp_path: Path) -> None:
    code = "import os\nfor _ in range(4096): os.write(1, b'x' * 65535 + b'\\n')\nos.write(1, b'last line\\n')"
    ended = finish(start(code, tmp_path))
    assert ended.status == 0
    assert ended.peak_kib < 64 * 1024
    assert len(list(tmp_path.glob("log-*"))) <= contract.LOG_SEGMENTS_WAITING + 2
    assert all(path.stat().st_size <= contract.LOG_SEGMENT_BYTES for path in tmp_path.iterdir())
    assert b"bytes of stdout are missing here" in log(tmp_path, "stdout")
    assert log(tmp_path, "stdout").endswith(b"last line\n")
    assert ended.cpu_seconds < 256 / 100, "less than 100 MB a CPU second"


def test_a_reader_that_keeps_up_gets_every_byte_in_order(tmp_path: Path) -> None:
    code = "import os\nfor i in range(2000): os.write(1, b'%06d ' % i * 64); __import__('time').sleep(0.0005)"
    process = start(code, tmp_path)
    got = b""
    while process.poll() is None or list(tmp_path.glob("log-*.bin")):
        for path in sorted(tmp_path.glob("log-stdout-*.bin")):
            got += path.read_bytes()
            path.unlink()
        time.sleep(0.005)
    finish(process)
    assert got == b"".join(b"%06d " % i * 64 for i in range(2000))


def test_a_process_left_behind_with_the_pipes_does_not_hold_the_end_up(tmp_path: Path) -> None:
    code = "import os, time\nif os.fork() == 0: time.sleep(20)\nelse: print('parent')"
    started = time.monotonic()
    status = finish(start(code, tmp_path)).status
    assert (status, log(tmp_path, "stdout")) == (0, b"parent\n")
    assert time.monotonic() - started < 10


def test_what_was_thrown_away_is_counted_where_it_is_missing_and_the_newest_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contract, "LOG_SEGMENTS_WAITING", 1)
    size = contract.LOG_SEGMENT_BYTES
    segments = Segments(tmp_path, "stdout")
    for letter in (b"a", b"b", b"c"):
        segments.feed(letter * size)
    segments.feed(b"end")
    segments.close()
    head, tail = log(tmp_path, "stdout").split(b"\n[tapedeck: %d bytes of stdout are missing here" % (size + 3))
    assert head == b"a" * size
    assert tail.endswith(b"]\n" + b"c" * (size - 3) + b"end")
    assert all(path.stat().st_size <= size for path in tmp_path.iterdir())


def test_a_folder_in_the_way_loses_its_segment_only(tmp_path: Path) -> None:
    (tmp_path / "log-stdout-000000.bin").mkdir()
    (tmp_path / "log-stdout-000000.bin" / "x").touch()
    segments = Segments(tmp_path, "stdout")
    segments.feed(b"lost")
    segments.close()
    assert not list(tmp_path.glob("*.tmp"))


def test_a_reader_that_is_faster_than_any_does_not_make_a_flood_dearer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    segments = Segments(tmp_path, "stdout")
    written = 0
    for _ in range(10 * 100):
        now[0] += 0.01
        segments.feed(b"x" * contract.LOG_SEGMENT_BYTES)
        for path in tmp_path.iterdir():
            path.unlink()
            written += 1
    burst, rate = contract.LOG_SEGMENTS_WAITING, contract.LOG_SEGMENTS_A_SECOND
    assert burst + 9 * rate <= written <= burst + 11 * rate
