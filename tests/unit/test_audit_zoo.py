"""The look-ahead audit flags every planted leak, with bar and symbol, and no clean strategy."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tapedeck import laptop
from tapedeck.laptop import Checked
from tapedeck.market.calendar import from_day_number
from tapedeck.market.store import FolderStore
from tests.unit import zoo


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    folder = tmp_path_factory.mktemp("market")
    zoo.publish_market(folder)
    return FolderStore(folder)


def checked(data: FolderStore, tmp_path: Path, text: str) -> Checked:
    path = tmp_path / "mine.py"
    path.write_text(text)
    return laptop.check(path, data)


def texts(daily: dict[str, str], hourly: dict[str, str], main: dict[str, str]) -> list[object]:
    """Return each animal as a parameter: its whole source under its name."""
    found = [(name, zoo.WEIGHTS.format(body=body, **zoo.DAILY)) for name, body in daily.items()]
    found += [(name, zoo.WEIGHTS.format(body=body, **zoo.HOURLY)) for name, body in hourly.items()]
    found += [(name, zoo.MAIN.format(body=body)) for name, body in main.items()]
    return [pytest.param(text, id=name) for name, text in found]


@pytest.mark.parametrize("text", texts(zoo.LEAKS, zoo.HOURLY_LEAKS, zoo.MAIN_LEAKS))
def test_a_planted_leak_is_flagged_with_its_bar_and_symbol(data: FolderStore, tmp_path: Path, text: str) -> None:
    done = checked(data, tmp_path, text)
    assert done.verdict.kind == "leaked", done.verdict
    difference = done.verdict.difference
    assert difference is not None and difference.symbol in done.symbols
    assert date(2010, 6, 1) <= from_day_number(difference.session) <= date(2011, 12, 30)
    assert difference.symbol in str(done.verdict) and done.verdict.causality == "leaked"


@pytest.mark.parametrize("text", texts(zoo.CLEAN, zoo.HOURLY_CLEAN, zoo.MAIN_CLEAN))
def test_a_clean_strategy_is_not_flagged(data: FolderStore, tmp_path: Path, text: str) -> None:
    done = checked(data, tmp_path, text)
    assert (done.verdict.kind, done.verdict.cuts) == ("audited", 8), done.verdict
