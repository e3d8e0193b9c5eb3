"""`tapedeck data list | show | diff | name | withdraw` on a folder; on the platform: tests/component."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tapedeck.cli import main
from tapedeck.market.actions import Split
from tapedeck.market.snapshot import Snapshot
from tapedeck.market.store import FolderStore
from tests.unit.daily_market import change, put

DAY, LATER = date(2020, 1, 2), date(2020, 2, 3)
Output = pytest.CaptureFixture[str]


@pytest.fixture
def two(tmp_path: Path) -> list[Snapshot]:
    """A first state; then A corrected and longer, with a split, and C new."""
    store = FolderStore(tmp_path)
    first = put(store, {"A": change({DAY: 100}), "B": change({DAY: 1})})
    split = Split("A", LATER, 2.0)
    return [first, put(store, {"A": change({DAY: 200, LATER: 300}, splits=(split,)), "C": change({DAY: 1})})]


def told(capsys: Output, folder: Path, *words: str, code: int = 0) -> str:
    assert main(["data", *words, "--dataset", "equities-1d", "--data", str(folder)]) == code
    said = capsys.readouterr()
    return said.err if code else said.out


def test_a_datasets_snapshots_are_listed_newest_first(two: list[Snapshot], tmp_path: Path, capsys: Output) -> None:
    lines = told(capsys, tmp_path, "list").splitlines()
    assert [line.split()[0] for line in lines] == [two[1].id[:12], two[0].id[:12]]
    assert "3 symbols  2020-01-02 to 2020-02-03" in lines[0]


def test_show_resolves_whatever_names_a_snapshot(two: list[Snapshot], tmp_path: Path, capsys: Output) -> None:
    for words, found in (("latest", two[1]), (two[0].id[:7], two[0]), ("as_of:2999-01-01T00:00:00Z", two[1])):
        assert told(capsys, tmp_path, "show", words).splitlines()[0] == found.id
    assert "no snapshot 'paper'" in told(capsys, tmp_path, "show", "paper", code=2)
    assert "published up to 1999" in told(capsys, tmp_path, "show", "as_of:1999-01-01T00:00:00Z", code=2)


def test_diff_tells_symbols_months_and_actions(two: list[Snapshot], tmp_path: Path, capsys: Output) -> None:
    said = told(capsys, tmp_path, "diff", two[0].id[:8])
    assert said.splitlines() == [
        f"{two[0].id[:12]} to {two[1].id[:12]}",
        "  added: 1 symbols: C",
        "  removed: 0 symbols",
        "  changed: 1 symbols: A",
        "    A months added: 2020-02",
        "    A months changed: 2020-01",
        "    A splits added: 2020-02-03 2.0",
    ]
    back = told(capsys, tmp_path, "diff", two[1].id, two[0].id)
    assert "removed: 1 symbols: C" in back
    assert "A splits removed: 2020-02-03 2.0" in back


def test_a_name_is_given_and_taken_away(two: list[Snapshot], tmp_path: Path, capsys: Output) -> None:
    assert told(capsys, tmp_path, "name", two[0].id[:8], "paper-2026").rstrip().endswith("paper-2026")
    assert told(capsys, tmp_path, "show", "paper-2026").startswith(two[0].id)
    assert "is called 'paper-2026'" in told(capsys, tmp_path, "name", two[1].id, "paper-2026", code=2)
    told(capsys, tmp_path, "name", "paper-2026")
    told(capsys, tmp_path, "show", "paper-2026", code=2)


def test_a_withdrawn_snapshot_is_listed_with_its_reason_and_is_not_the_latest(
    two: list[Snapshot], tmp_path: Path, capsys: Output
) -> None:
    assert "withdrawn" in told(capsys, tmp_path, "withdraw", two[1].id[:9], "--reason", "FB in cents")
    assert "FB in cents" in told(capsys, tmp_path, "list").splitlines()[0]
    assert told(capsys, tmp_path, "show", "latest").startswith(two[0].id)
    assert told(capsys, tmp_path, "show", two[1].id[:9]).startswith(two[1].id)  # it can still be looked at


def test_without_a_folder_and_without_a_platform_it_says_what_to_set(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TAPEDECK_API_URL", raising=False)
    assert main(["data", "list"]) == 2
    assert "Set TAPEDECK_API_URL" in capsys.readouterr().err
