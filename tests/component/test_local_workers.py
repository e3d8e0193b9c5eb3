import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from infra.local.wires import Function
from infra.local.workers import FunctionError, Workers

CODE = """
import os, sys, time, subprocess
import shared
loaded = os.getpid()
def handler(event, context):
    print("asked to", event["do"])
    if event["do"] == "greet":
        return {"pid": loaded, "id": context.aws_request_id, "left": context.get_remaining_time_in_millis(),
                "name": context.function_name, "environment": dict(os.environ), "path": sys.path,
                "shared": shared.VALUE}
    if event["do"] == "sleep":
        subprocess.Popen(["sleep", "30"]).pid
        time.sleep(30)
    if event["do"] == "nap":
        time.sleep(0.5)
        return loaded
    if event["do"] == "die":
        os._exit(7)
    if event["do"] == "grow":
        return "x" * 7_000_000
    if event["do"] == "set":
        return {1, 2}
    raise ValueError("no such thing")
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Workers]]:
    started: list[Workers] = []

    def run(code: str = CODE, workers: int = 1, timeout_s: int = 5) -> Workers:
        (tmp_path / "task").mkdir()
        (tmp_path / "task" / "code.py").write_text(code)
        (tmp_path / "layer" / "python").mkdir(parents=True)
        (tmp_path / "layer" / "python" / "shared.py").write_text("VALUE = 42")
        function = Function(
            name="f",
            arn="arn:f",
            path="S/F",
            handler="code.handler",
            task_root=tmp_path / "task",
            layers=(tmp_path / "layer",),
            environment={},
            timeout_s=timeout_s,
            memory_mb=128,
            role_arn="arn:r",
            workers=workers,
            region="us-east-1",
        )
        environment: Mapping[str, str] = {"ONE": "1", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}
        started.append(Workers({"f": function}, lambda f: environment, tmp_path, tmp_path / "pycache"))
        return started[-1]

    yield run
    for each in started:
        each.stop()


def test_a_worker_is_kept_warm_and_has_only_the_environment_that_it_was_given(start: Callable[..., Workers]) -> None:
    workers = start()
    first, second = workers.invoke("f", {"do": "greet"}), workers.invoke("f", {"do": "greet"})
    assert first["pid"] == second["pid"]
    assert first["id"] != second["id"]
    assert first["environment"] == {"ONE": "1", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    assert first["name"] == "f"
    assert first["shared"] == 42
    assert 0 < first["left"] <= 5000


def test_a_worker_imports_from_its_assets_and_the_standard_library_only(
    start: Callable[..., Workers], tmp_path: Path
) -> None:
    workers = start()
    path = workers.invoke("f", {"do": "greet"})["path"]
    assert path[:2] == [str(tmp_path / "task"), str(tmp_path / "layer" / "python")]
    assert not any("site-packages" in entry or "dist-packages" in entry for entry in path)
    files = workers.modules("f")
    assert files["code"] == str(tmp_path / "task" / "code.py")
    assert files["shared"] == str(tmp_path / "layer" / "python" / "shared.py")
    assert list((tmp_path / "task").iterdir()) == [tmp_path / "task" / "code.py"]  # no __pycache__ among the bytes


def test_an_error_is_the_invocations_and_the_worker_lives_on(start: Callable[..., Workers]) -> None:
    workers = start()
    pid = workers.invoke("f", {"do": "greet"})["pid"]
    with pytest.raises(FunctionError, match="f failed with ValueError: no such thing"):
        workers.invoke("f", {"do": "?"})
    with pytest.raises(FunctionError, match="TypeError"):
        workers.invoke("f", {"do": "set"})
    assert workers.invoke("f", {"do": "greet"})["pid"] == pid
    assert "no such thing" in workers.log("f").read_text()
    assert "asked to greet" in workers.log("f").read_text()


def test_a_timeout_kills_the_process_and_its_children(start: Callable[..., Workers]) -> None:
    workers = start(timeout_s=1)
    pid = workers.invoke("f", {"do": "greet"})["pid"]
    with pytest.raises(FunctionError, match=r"Sandbox.Timedout: task timed out after 1\.00 seconds"):
        workers.invoke("f", {"do": "sleep"})
    group = subprocess.run(["pgrep", "-r", "R,S,D", "-g", str(pid)], capture_output=True, text=True, check=False)
    assert group.stdout == ""
    assert workers.invoke("f", {"do": "greet"})["pid"] != pid


def test_a_crash_is_a_failure_and_the_next_request_gets_a_new_process(start: Callable[..., Workers]) -> None:
    workers = start()
    with pytest.raises(FunctionError, match=r"Runtime.ExitError: the process left with code 7"):
        workers.invoke("f", {"do": "die"})
    assert workers.invoke("f", {"do": "greet"})["shared"] == 42


def test_a_module_that_does_not_import_fails_each_invocation(start: Callable[..., Workers]) -> None:
    workers = start(code="import boto3")
    for _ in range(2):
        with pytest.raises(FunctionError, match="ModuleNotFoundError: No module named 'boto3'"):
            workers.invoke("f", {})


def test_an_answer_over_6_mb_is_refused(start: Callable[..., Workers]) -> None:
    with pytest.raises(FunctionError, match="ResponseSizeTooLarge"):
        start().invoke("f", {"do": "grow"})


@pytest.mark.parametrize(("workers", "processes"), [(1, 1), (2, 2)])
def test_no_more_requests_run_at_once_than_the_function_has_workers(
    start: Callable[..., Workers], workers: int, processes: int
) -> None:
    pool = start(workers=workers)
    pids: list[int] = []
    threads = [threading.Thread(target=lambda: pids.append(pool.invoke("f", {"do": "nap"}))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(pids)) == processes
    assert len(pids) == 3


def test_stopping_ends_a_busy_worker(start: Callable[..., Workers]) -> None:
    workers = start(timeout_s=20)
    pid = workers.invoke("f", {"do": "greet"})["pid"]
    failed: list[str] = []

    def call() -> None:
        try:
            workers.invoke("f", {"do": "sleep"})
        except FunctionError as error:
            failed.append(error.error_type)

    thread = threading.Thread(target=call)
    thread.start()
    time.sleep(0.3)
    workers.stop()
    thread.join(timeout=5)
    assert failed
    assert not Path(f"/proc/{pid}").exists()
