"""Every example runs from its file as `tapedeck run` runs it, and none looks ahead."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tapedeck import laptop
from tapedeck.market.store import FolderStore
from tests.unit import zoo

ROOT = Path(__file__).parents[2]
STRATEGY = ROOT / "build" / "venvs" / "strategy" / "bin" / "python"
ALL = sorted((ROOT / "examples").glob("*.[pi]*[yb]"))
ELSEWHERE = [path for path in ALL if b"sklearn" in path.read_bytes()]  # what is installed for strategies only
HERE = [path for path in ALL if path not in ELSEWHERE]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("market")
    zoo.publish_market(folder, gaps=0.0)
    return folder


def copied(path: Path, folder: Path) -> Path:
    """Return the example for the time that the generated market has."""
    text = path.read_text()
    for old in ("2004-01-02", "2005-01-03"):
        text = text.replace(old, "2010-06-01")
    copy = folder / path.name
    copy.write_text(text.replace("2012-12-31", "2011-12-30"))
    return copy


def tapedeck(*arguments: object) -> str:
    """Return what `tapedeck` prints in the environment of strategies."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "container_runner"), "OMP_NUM_THREADS": "1"}
    command = [STRATEGY, "-m", "tapedeck", *map(str, arguments)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("path", HERE, ids=lambda path: path.name)
def test_an_example_runs_from_its_file_and_does_not_look_ahead(path: Path, market: Path, tmp_path: Path) -> None:
    copy = copied(path, tmp_path)
    done = laptop.run(copy, FolderStore(market))
    assert len(done.fills) > 2
    assert np.isfinite(done.equity).all()
    found = laptop.check(copy, FolderStore(market))
    assert found.verdict.kind == ("by_construction" if found.found.level == "on_bar" else "audited")


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_an_example_begins_by_saying_what_it_is(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# ") or '"# Momentum' in text


def test_the_walk_forward_runs_where_scikit_learn_is_and_does_not_look_ahead(market: Path, tmp_path: Path) -> None:
    (path,) = ELSEWHERE
    copy = copied(path, tmp_path)
    fills = next(line for line in tapedeck("run", copy, "--data", market).splitlines() if line.startswith("Fills"))
    assert int(fills.split()[1]) > 10
    assert "8 replays on data that ends early took the same decisions" in tapedeck("check", copy, "--data", market)


def test_the_compiled_example_says_what_compiling_took_and_has_the_digest_of_plain_python(
    market: Path, tmp_path: Path
) -> None:
    copy = copied(ROOT / "examples" / "compiled_crossover.py", tmp_path)
    said = tapedeck("run", copy, "--data", market)
    assert "on_bar was compiled in " in said
    assert laptop.run(copy, FolderStore(market)).result_digest in said
