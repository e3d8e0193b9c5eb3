"""The laptop page's files and commands, in order, as it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tapedeck.cli import main

PAGE = Path(__file__).parents[2] / "docs/how-to/laptop.md"
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_laptop_page_runs_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = []
    for kind, name, text in BLOCK.findall(PAGE.read_text()):
        if name:
            Path(name).write_text(text)
            continue
        if kind == "python":
            exec(compile(text, str(PAGE), "exec"), {})
            continue
        assert kind == "sh"
        for line in text.splitlines():
            program, *arguments = shlex.split(line)
            assert (program, main(arguments)) == ("tapedeck", 0), line
            ran.append(arguments[0])
    assert ran == ["data", "data", "data", "data", "data", "check", "run"]
    said = capsys.readouterr().out
    assert "6 bars of 1 symbols" in said
    assert re.search(r"^result digest [0-9a-f]{64}$", said, re.MULTILINE)
    assert {path.name for path in Path("results").iterdir()} == {
        "metrics.json",
        "equity.csv",
        "trades.csv",
        "margin_calls.json",
    }
