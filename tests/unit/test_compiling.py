"""A compiled `on_bar` decides as plain Python does, through the same engine, to the byte."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tapedeck import Strategy, jit, strategy
from tapedeck.book import OrderError
from tests.unit.dice import ByBook, ByColumns, play

ROOT = Path(__file__).parents[2]
STRATEGY = ROOT / "build" / "venvs" / "strategy" / "bin" / "python"
CUTS = [100, 101, 400]


def in_the_strategys_environment(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'container_runner'}", "NUMBA_CACHE_DIR": "/nowhere"}
    command = [STRATEGY, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_without_numba_it_decides_as_the_same_strategy_written_for_a_book(seed: int) -> None:
    by_book, _ = play(ByBook(seed=seed), seed, CUTS)
    by_columns, player = play(ByColumns(seed=seed), seed, CUTS)
    assert [played.orders for played in by_columns] == [played.orders for played in by_book]
    assert [played.claim for played in by_columns] == [played.claim for played in by_book]
    assert sum(len(played.step.fills) for played in by_book) > 50
    assert player.compile_seconds is None
    whole, _ = play(ByColumns(seed=seed), seed, [])
    assert whole[0].orders == b"".join(played.orders for played in by_columns)


def test_with_numba_it_decides_the_same_and_says_what_compiling_took() -> None:
    ran = in_the_strategys_environment("-m", "tests.unit.dice")
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    for seed, claims in said["claims"].items():
        assert claims == [played.claim.hex() for played in play(ByBook(seed=int(seed)), int(seed), CUTS)[0]]
    assert all(seconds > 0 for seconds in said["seconds"])


def test_what_it_remembers_is_the_strategys_after_a_chunk() -> None:
    made = ByColumns(seed=1)
    play(made, 1, CUTS)
    assert (type(made.dice), type(made.seen), made.rolled.dtype) == (int, float, np.int64)
    assert made.dice != 1 and made.seen > 100 and made.rolled.any()


class Remembers(Strategy):
    def __init__(self, value: Any) -> None:
        self.value = value

    @jit
    def on_bar(self, bar: Any, book: Any) -> None: ...


@pytest.mark.parametrize("value", [None, [1.0], {"A": 1}, np.array(["A"])])
def test_what_it_cannot_remember_is_refused_by_name(value: object) -> None:
    with pytest.raises(TypeError, match=r"self.value is a \w+: an on_bar that is compiled remembers numbers"):
        play(Remembers(value), 1, [])


class Asks(Strategy):
    what: int = 0

    @jit
    def on_bar(self, bar: Any, book: Any) -> None:
        if self.what == 0:
            book.buy(7, 1.0)
        elif self.what == 1:
            book.buy(0, -1.0)
        elif self.what == 2:
            book.buy(0, 1.0, limit=-3.0)
        else:
            for _ in range(2000):
                book.buy(0, 1.0)


@pytest.mark.parametrize(
    ("what", "error", "says"),
    [
        (0, OrderError, "column 7 is none of this run's 3 symbols: 0 to 2"),
        (1, OrderError, "the number of shares is positive"),
        (2, OrderError, "limit=-3.0 is no price"),
        (3, IndexError, "at most 1,024 requests on one bar"),
    ],
)
def test_an_impossible_request_is_an_error_that_names_the_bar(what: int, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as raised:
        play(Asks(what=what), 1, [])
    assert raised.value.__notes__ == ["in on_bar(bar, book) at the bar 1970-01-01 00:00 UTC"]


def test_a_fraction_in_a_whole_number_is_refused_by_numba_and_not_cut_off(tmp_path: Path) -> None:
    code = """
from tapedeck import Strategy, jit, strategy
from tests.unit.dice import play

class Cuts(Strategy):
    def __init__(self):
        self.total = 0

    @jit
    def on_bar(self, bar, book):
        self.total += bar.close[0]

play(Cuts(), 1, [])
"""
    path = tmp_path / "cuts.py"
    path.write_text(code)
    ran = in_the_strategys_environment(str(path))
    said = "TypeError: self.total began as a whole number: begin with total = 0.0 (line 11"
    assert said in ran.stderr, ran.stderr


def test_an_error_in_compiled_code_names_the_bar_and_says_how_to_see_the_line(tmp_path: Path) -> None:
    code = """
import numpy as np
from tapedeck import Strategy, jit
from tests.unit.dice import play

class Beyond(Strategy):
    def __init__(self):
        self.kept, self.seen = np.zeros(3), 0

    @jit
    def on_bar(self, bar, book):
        self.kept[self.seen] = 1.0
        self.seen += 1

play(Beyond(), 1, [])
"""
    path = tmp_path / "beyond.py"
    path.write_text(code)
    ran = in_the_strategys_environment(str(path))
    assert "IndexError: index is out of bounds" in ran.stderr
    assert "without @jit the error names its line\nin on_bar(bar, book) at the bar 1970-01-01 00:03 UTC" in ran.stderr


def test_the_documentations_strategy_runs() -> None:
    page = (ROOT / "docs" / "reference" / "compiled.md").read_text()
    found: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], found)
    played, _ = play(strategy.create(found["Crossover"], {}), 2, [])
    assert len(played[0].step.fills) > 2
