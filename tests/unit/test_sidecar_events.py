import json
from pathlib import Path

import pytest

import run_objects
from sidecar.events import EventLog
from tapedeck.market.store import FolderStore

JOB = "0f8fad5b-d9cb-469f-a165-70867728950e"
FAILURE: run_objects.RunFailure = {
    "kind": "CODE",
    "message": "no",
    "file": "s.py",
    "line": 3,
    "cell": None,
    "traceback": None,
    "last_lines": ["late"],
}
USAGE: run_objects.Usage = {"peak_memory_bytes": 9, "cpu_seconds": 0.5, "sandbox": "gvisor", "reported_by": "strategy"}


def _written(root: Path) -> list[run_objects.Event]:
    return [json.loads(p.read_bytes()) for p in sorted((root / f"runs/{JOB}/2/events").glob("*.json"))]


def _log(tmp_path: Path) -> EventLog:
    return EventLog(FolderStore(tmp_path / "runs"), JOB, 2, tmp_path / "journal.json")


def test_events_count_from_zero_over_all_types_and_carry_only_their_own_part(tmp_path: Path) -> None:
    events = _log(tmp_path)
    events.started()
    events.progress({"done": 1, "total": 9, "session": "2004-01-02"})
    events.failed(FAILURE, USAGE)
    first, second, third = _written(tmp_path / "runs")
    assert [(e["seq"], e["type"]) for e in (first, second, third)] == [(0, "STARTED"), (1, "PROGRESS"), (2, "FAILED")]
    assert set(first) == set(run_objects.Event.__annotations__)
    assert second["progress"] == {"done": 1, "total": 9, "session": "2004-01-02"} and second["failure"] is None
    assert (third["failure"], third["usage"]) == (FAILURE, USAGE) and third["result"] is None
    assert events.ended


def test_progress_comes_at_most_every_half_second_and_always_at_the_end(tmp_path: Path) -> None:
    events = _log(tmp_path)
    for done, at in ((1, 10.0), (2, 10.3), (3, 10.6), (4, 10.7), (5, 10.8)):
        events.progress({"done": done, "total": 5, "session": None}, lambda at=at: at)  # type: ignore[misc]
    assert [e["progress"] and e["progress"]["done"] for e in _written(tmp_path / "runs")] == [1, 3, 5]


def test_a_number_that_is_taken_is_passed_over_and_never_overwritten(tmp_path: Path) -> None:
    taken = tmp_path / "runs/runs" / JOB / "2/events/00000000.json"
    taken.parent.mkdir(parents=True)
    taken.write_text("{}")
    EventLog(FolderStore(tmp_path / "runs"), JOB, 2, tmp_path / "journal.json").started()
    assert taken.read_text() == "{}"
    assert json.loads(taken.with_name("00000001.json").read_text())["seq"] == 1


def test_a_writer_that_finds_every_number_taken_gives_up(tmp_path: Path) -> None:
    for _ in range(5):
        EventLog(FolderStore(tmp_path / "runs"), JOB, 2, tmp_path / "other.json")._emit("DRAINED")
        (tmp_path / "other.json").unlink()
    with pytest.raises(RuntimeError, match="taken"):
        _log(tmp_path).started()


def test_a_restarted_sidecar_goes_on_with_the_next_number_and_knows_an_ended_attempt(
    tmp_path: Path,
) -> None:
    _log(tmp_path).started()
    second = _log(tmp_path)
    assert second.resumed and not second.ended
    second.failed(FAILURE, USAGE)
    assert [e["seq"] for e in _written(tmp_path / "runs")] == [0, 1]
    assert _log(tmp_path).ended
