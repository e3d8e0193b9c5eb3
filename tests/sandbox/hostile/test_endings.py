"""Attacks that end their run: killed and named, and nothing of them left (`Campaign` looks for processes)."""

from __future__ import annotations

from datetime import timedelta

import contract
from backtest.postmortem import cause_of_death
from tests.sandbox.hostile.conftest import Campaign
from tests.sandbox.hostile.run import Ended


def announced(ended: Ended) -> bool:
    return any(line["text"].startswith("ATTEMPTED") for line in ended.log)


def test_a_memory_bomb_is_named_with_peak_and_limit(campaign: Campaign) -> None:
    failure = campaign["memory bomb"].failure
    assert failure["kind"] == "OUT_OF_MEMORY"
    assert "MiB in memory at the peak, 2816 MiB of addresses allowed" in failure["message"]
    assert (failure["file"], failure["line"]) == ("strategy.py", 16)


def test_a_memory_bomb_of_many_processes_kills_its_sandbox_and_the_platform_names_it(campaign: Campaign) -> None:
    ended = campaign["memory by children"]
    assert announced(ended)
    assert ended.last["type"] == "STARTED", "the sidecar cannot know: the pod's status does"
    named = cause_of_death(ended.job, [ended.pod], started=True)
    assert named.kind == "OUT_OF_MEMORY"
    assert "512 MiB" in named.message


def test_a_run_that_will_not_end_is_a_timeout_and_its_children_go_with_it(campaign: Campaign) -> None:
    ended = campaign["endless"]
    assert announced(ended)
    assert any(line["text"] == "still here" for line in ended.log)
    assert ended.failure["kind"] == "TIMEOUT"
    assert ended.pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 137
    assert ended.span[1] - ended.span[0] < timedelta(seconds=60)


def test_a_fork_bomb_is_a_timeout_and_not_the_platforms_failure(campaign: Campaign) -> None:
    ended = campaign["fork bomb"]
    assert announced(ended)
    assert ended.failure["kind"] == "TIMEOUT"


def test_a_link_as_decisions_is_refused_by_name(campaign: Campaign) -> None:
    ended = campaign["linked decisions"]
    assert ended.failure["kind"] == "CODE"
    assert "decisions-000000.bin cannot be opened" in ended.failure["message"]


def test_a_forged_drain_is_the_strategys_own_end_and_not_tried_again(campaign: Campaign) -> None:
    ended = campaign["false end"]
    assert ended.said() == {"a false end": f"DONE {contract.EXIT.size}"}
    usage = ended.last["usage"]
    assert usage is not None
    assert (usage["peak_memory_bytes"] or 0) < 1 << 32
    assert (usage["cpu_seconds"] or 0) < 1 << 20
    assert ended.failure["kind"] == "CODE"


def test_a_sigterm_of_its_own_doing_is_the_strategys_own_end_and_not_tried_again(campaign: Campaign) -> None:
    ended = campaign["own sigterm"]
    assert announced(ended)
    assert (ended.failure["kind"], "exit code 143" in ended.failure["message"]) == ("CODE", True)


def test_who_kills_its_own_launcher_is_named_by_the_pods_status(campaign: Campaign) -> None:
    ended = campaign["kill all"]
    assert ended.last["type"] == "STARTED"
    named = cause_of_death(ended.job, [ended.pod], started=True)
    assert named.kind == "PLATFORM", "a crash without a cause: the third one fails the job"
    assert "strategy exit code 137" in named.message


def test_a_failures_words_are_plain_and_short(campaign: Campaign) -> None:
    failure = campaign["shown"].failure
    assert (failure["kind"], failure["file"], failure["line"]) == ("CODE", "strategy.py", 11)
    assert len(failure["message"]) <= 2000
    assert failure["traceback"] is not None
    for text in (failure["message"], failure["traceback"]):
        assert not set(text) & {"\x1b", "\x07", "\x00", "\u202e", "\u202c", "\ud800"}


def test_a_flood_is_cut_stated_and_made_plain(campaign: Campaign) -> None:
    ended = campaign["flood"]
    texts = [line["text"] for line in ended.log]
    assert sum(len(text.encode()) for text in texts) < 2 * (1 << 20) * 2
    assert all(len(text) <= 2 * 8192 for text in texts)
    assert not [c for text in texts for c in text if (ord(c) < 32 and c != "\t") or c in "\x9b\u202e\u2066\u2028\ufeff"]
    assert any("are cut here" in line["text"] for line in ended.log if line["stream"] == "platform")
    assert not [line for line in ended.log if line["stream"] == "platform" and line["text"] == "forged"]
    assert [line["seq"] for line in ended.log] == sorted(line["seq"] for line in ended.log)
    assert "the last line" in texts


def test_odd_files_are_passed_over_and_nothing_of_another_file_is_in_the_log(campaign: Campaign) -> None:
    ended = campaign["odd files"]
    assert ended.last["type"] == "COMPLETED"
    assert not [line for line in ended.log if "root:" in line["text"] or "AWS_" in line["text"]]
