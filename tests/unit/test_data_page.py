"""The data page's commands and Python, in order, on a folder in the platform's place."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tapedeck.cli import main
from tapedeck.market import snapshot
from tapedeck.market.store import FolderStore

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/data.md"
STRATEGY_PYTHON = ROOT / "build/venvs/strategy/bin/python"
BLOCK = re.compile(r"^```(python)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"`(tapedeck data [^`]*)`")
BAR = "{symbol},{at},10,10,10,10,5\n"
FACTORS = "20140606,1,0.1428571,645.57\n20501231,1,1,0\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """Apple and IBM in two datasets, Apple with its split, then a correction; the words that the page uses exist."""
    monkeypatch.chdir(tmp_path)
    header, days = "symbol,date,open,high,low,close,volume\n", ("2014-06-05", "2014-06-09")
    Path("factor_files").mkdir()
    Path("factor_files/aapl.csv").write_text(FACTORS)
    Path("tech.csv").write_text("AAPL\n")
    for dataset, clock in (("equities-1d", ""), ("equities-1m", " 09:30")):
        bars = "".join(BAR.format(symbol=symbol, at=day + clock) for symbol in ("AAPL", "IBM") for day in days)
        Path("bars.csv").write_text(header + bars)
        Path("corrected.csv").write_text(header + BAR.format(symbol="IBM", at=days[0] + clock).replace(",5", ",6"))
        for name in ("bars.csv", "factor_files/aapl.csv", "corrected.csv"):
            assert main(["data", "ingest", name, "--dataset", dataset, "--data", "market-data"]) == 0
            if name == "bars.csv":
                assert (
                    main(["data", "name", "latest", "paper-2026", "--dataset", dataset, "--data", "market-data"]) == 0
                )
    assert main(["data", "universe", "tech", "tech.csv", "--dataset", "equities-1d", "--data", "market-data"]) == 0
    capsys.readouterr()
    return tmp_path


def test_the_data_pages_commands_run_as_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, ran = PAGE.read_text(), list[str]()
    commands = [line for kind, block in BLOCK.findall(text) if not kind for line in block.splitlines()]
    said = {"s3://BUCKET": "market-data/", "as_of:2026": "as_of:2999"}  # the folder's snapshots are of today
    for line in (*commands, *COMMAND.findall(text)):
        words = shlex.split(re.sub("|".join(said), lambda found: said[found[0]], line), comments=True)
        if len(words) < 3 or words[2] == "drop" or not ("--dataset" in words or words[2] == "list"):
            continue
        newest = snapshot.latest(FolderStore(folder / "market-data"), "equities-1d") or ""
        words = [newest[:12] if re.fullmatch("[0-9a-f]{8,12}", word) else word for word in words]
        words += [] if "--data" in words else ["--data", "market-data"]
        if words[2:4] == ["name", newest[:12]]:
            assert main(["data", "name", "paper-2026", "--dataset", "equities-1d", "--data", "market-data"]) == 0
        assert main(words[1:]) == 0, (line, capsys.readouterr().err)
        ran.append(words[2])
    assert {"list", "show", "diff", "universe", "withdraw", "name", "seal"} <= set(ran)


def test_the_data_pages_python_runs_as_written(folder: Path) -> None:
    code = "\n".join(block for kind, block in BLOCK.findall(PAGE.read_text()) if kind)
    told = "print(bars.close.shape, len(bars.missing), bars.relation().fetchall()[0][0])\n"
    done = subprocess.run(
        [STRATEGY_PYTHON, "-c", f"{code}\n{told}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'container_runner'}", "TZ": "Asia/Tokyo"},
        cwd=folder,
    )
    assert done.stdout == "(70, 2) 6 2014-06-02 13:00:00\n", done.stderr
