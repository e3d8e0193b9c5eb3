import sys
from pathlib import Path

import pytest

from infra.local.child import Child, StartError

ECHO = """
import json, sys
print("started with", sys.argv[1:], file=sys.stderr, flush=True)
print("no JSON, so it is log", flush=True)
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    print(json.dumps({"said": json.loads(line)}), flush=True)
"""


def child(code: str, tmp_path: Path) -> Child:
    return Child("the echo", [sys.executable, "-c", code], tmp_path / "echo.log")


def test_a_child_says_that_it_is_ready_answers_and_ends(tmp_path: Path) -> None:
    echo = child(ECHO, tmp_path)
    assert echo.answer(10) == {"ready": True}
    assert echo.ask([1, 2], 10) == {"said": [1, 2]}
    echo.stop()
    assert not echo.alive
    assert not Path(f"/proc/{echo.pid}").exists()
    assert "no JSON, so it is log" in (tmp_path / "echo.log").read_text()


def test_a_child_that_leaves_is_reported_with_code_log_and_last_lines(tmp_path: Path) -> None:
    echo = child("import sys; print('out of luck', file=sys.stderr); sys.exit(3)", tmp_path)
    with pytest.raises(StartError, match=r"the echo left with code 3; its log is .*echo\.log\n  out of luck"):
        echo.answer(10)
    echo.stop()


def test_a_child_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    echo = child("import time; time.sleep(30)", tmp_path)
    with pytest.raises(StartError, match="said nothing"):
        echo.answer(0.2)
    echo.stop()
    assert not echo.alive


def test_a_child_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print({}, flush=True); time.sleep(30)"
    echo = child(code, tmp_path)
    echo.answer(10)
    echo.stop(timeout_s=0.2)
    assert not echo.alive
