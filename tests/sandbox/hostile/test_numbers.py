"""Runs that would like other numbers than they have earned: what counts is kept outside of their process."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import run_objects
from tapedeck.market.store import FolderStore
from tests.component.pod.halves import Pod, manifest, publish_market
from tests.sandbox.hostile.conftest import Campaign
from tests.sandbox.hostile.run import STRATEGIES

SAME = ("honest", "patched", "future", "exchange", "odd files", "flood", "zip shadowing")


@pytest.fixture(scope="module")
def unpatched(tmp_path_factory: pytest.TempPathFactory) -> run_objects.Result:
    """The same decisions without any sandbox, cluster or S3."""
    root = tmp_path_factory.mktemp("unpatched")
    snapshot = publish_market(FolderStore(root / "market"))
    code = (STRATEGIES / "honest.py").read_text()
    pod = Pod(root / "pod")
    assert pod.run(manifest(snapshot.id, code, class_name="Honest"), code)["type"] == "COMPLETED"
    return pod.result()


@pytest.mark.parametrize("case", SAME)
def test_the_digest_is_that_of_an_honest_run(campaign: Campaign, unpatched: run_objects.Result, case: str) -> None:
    assert campaign[case].digest() == unpatched["result_digest"]


def test_a_patched_engine_and_a_forged_result_change_no_figure(
    campaign: Campaign, unpatched: run_objects.Result
) -> None:
    ended = campaign["patched"]
    assert ended.said() == {"patch engine, metrics, hashes and clocks": "DONE", "write a result": "DONE"}
    assert ended.result is not None
    assert ended.result["metrics"] == unpatched["metrics"]
    assert ended.result["causality"] == "unchecked"
    assert ended.result["decisions_digest"] == unpatched["decisions_digest"]


def test_a_clock_that_was_patched_dates_nothing(campaign: Campaign) -> None:
    result = campaign["patched"].result
    assert result is not None
    times = [datetime.fromisoformat(result[name]) for name in ("started_at", "first_bar_at", "finished_at")]  # type: ignore[literal-required]
    assert times == sorted(times)
    assert datetime.now(UTC) - times[0] < timedelta(hours=1)


def test_the_future_is_not_there_before_its_time_and_the_past_is_gone(campaign: Campaign) -> None:
    said = campaign["future"].said()
    assert len(said) == 6 * 8 + 5
    assert {how for what, how in said.items() if what.startswith(("open", "another"))} == {"ENOENT"}
    assert {how for what, how in said.items() if what.startswith("a ")} == {"DONE"}


def test_modules_in_an_archive_stand_in_for_nobody_elses(campaign: Campaign) -> None:
    said = campaign["zip shadowing"].said()
    assert {how for what, how in said.items() if what.startswith("shadow") and "front" not in what} == {"DONE"}
    assert said["import a module of its own"].startswith("DONE '/tmp/submission-")
    assert said["shadow colorsys with its folder in front"].startswith("DONE '/tmp/submission-"), "the control"


def test_decisions_before_their_bars_and_after_their_seal_are_not_taken(campaign: Campaign) -> None:
    said = campaign["exchange"].said()
    assert {said[f"change the sealed decisions {index}"] for index in range(5)} == {"DONE"}
    assert {said[f"the sealed decisions {index} are still read"] for index in range(5)} == {"DONE"}
    assert said["thousands of files"] == "DONE"
    assert said["a pickle that kills who opens it"] == "DONE"  # and the sidecar lived to give the honest digest


def test_a_pickle_of_that_kind_kills_a_reader_that_opens_it() -> None:
    """The control: the same bytes, unpickled by a process of their own process group."""
    bomb = "import os, pickle; B = type('B', (), {'__reduce__': lambda self: (os.kill, (0, 9))}); "
    opened = subprocess.run(
        [sys.executable, "-c", bomb + "import sys; sys.modules['__main__'].B = B; pickle.loads(pickle.dumps(B()))"],
        start_new_session=True,  # the bomb's pid 0 is its reader's group
        timeout=30,
        check=False,
    )
    assert opened.returncode == -9


def test_the_neighbour_ran_beside_every_attack_and_came_to_no_harm(
    campaign: Campaign, unpatched: run_objects.Result
) -> None:
    everyone = campaign.all()
    neighbour = campaign.neighbour()
    assert neighbour.digest() == unpatched["result_digest"]
    begin, end = neighbour.span
    assert all(begin <= ended.span[0] and ended.span[1] <= end for ended in everyone.values())


def test_a_reader_that_believes_what_the_process_left_would_have_believed_it(tmp_path: Path) -> None:
    """The control: the same strategy, asked for its own figures."""
    namespace: dict[str, object] = {}
    source = (STRATEGIES / "patched.py").read_text().split("class Patched")[0]
    kept = {"report": None}
    code = source.replace("from report import attempt\n", "").replace("/exchange/out", str(tmp_path))
    exec(compile(code, "patched.py", "exec"), namespace)
    assert kept
    namespace["report"]()  # type: ignore[operator]
    assert '"final_equity": 1000000000000.0' in (tmp_path / "result.json").read_text()
