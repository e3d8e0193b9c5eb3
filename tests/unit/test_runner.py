"""The strategy's host, played in this process: all that the sidecar will hand in lies there from the start."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import contract
from sandbox import runner
from sidecar import chunks
from sidecar.chunks import Column
from sidecar.exchange import Exchange
from tapedeck.decisions import from_bytes

SYMBOLS = ["AAPL", "IBM"]
ROWS, HISTORY = 4, 2


class _Host:
    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("in", "out"):
            (root / name).mkdir()
        self.exchange = Exchange(root / "in", root / "out")

    def run(self, source: str, *, name: str = "strategy.py", count: int = 2, **changes: Any) -> int:
        kinds = {"py": "script", "ipynb": "notebook"}
        run: dict[str, Any] = {
            "kind": kinds[name.rsplit(".", 1)[1]],
            "source": name,
            "level": "weights",
            "class_name": "Mine",
            "params": {},
            "symbols": SYMBOLS,
            "fields": ["close"],
            "dataset": "equities-1d",
            "snapshot": "s",
            "adjust": "split",
            "start": "2004-01-02",
            "end": "2004-12-31",
            "seed": 7,
            "chunks": count,
            **changes,
        }
        self.exchange.publish(f"source/{name}", [source.encode()])
        self.exchange.publish("run.json", [json.dumps(run).encode()])
        for index in range(count):
            self._chunk(index)
        if "stop" not in changes:
            self.exchange.publish("stop", [b""])
        return runner.main([str(self.root / "in"), str(self.root / "out")])

    def _chunk(self, index: int) -> None:
        n = ROWS + HISTORY
        ts = np.arange(n, dtype=np.int64) + 100 * index
        close = np.arange(2.0 * n).reshape(n, 2) + 100 * index
        columns = [
            Column("ts", "<i8", (n,), lambda: [ts]),
            Column("session", "<i4", (n,), lambda: [ts.astype(np.int32)]),
            Column("close", "<f8", (n, 2), lambda: [close]),
            Column("raw.close", "<f8", (n, 2), lambda: [close * 2]),
        ]
        self.exchange.publish(contract.chunk_data(index), chunks.parts(columns))
        self.exchange.publish(contract.chunk_header(index), [chunks.header(index, ROWS, HISTORY, columns)])

    def decisions(self, index: int) -> NDArray[np.float64]:
        body = (self.root / "out" / contract.decisions(index)).read_bytes()

        return from_bytes(body, ROWS, SYMBOLS)

    def lookback(self) -> int:
        magic, version, lookback = contract.HELLO.unpack((self.root / "out/hello.bin").read_bytes())
        assert (magic, version) == (contract.HELLO_MAGIC, contract.HELLO_VERSION)
        return int(lookback)

    def failure(self) -> contract.Failure:
        failure: contract.Failure = json.loads((self.root / "out/failure.json").read_bytes())
        assert set(failure) == set(contract.Failure.__annotations__)
        return failure


@pytest.fixture
def host(tmp_path: Path) -> Iterator[_Host]:
    state = np.random.get_state()
    yield _Host(tmp_path)
    np.random.set_state(state)
    sys.modules.pop("strategy", None)


def test_weights_are_asked_chunk_by_chunk_and_only_own_rows_go_out(host: _Host) -> None:
    source = """
from tapedeck import Strategy
class Mine(Strategy):
    scale: float = 1.0
    fields = ("close",)
    def lookback(self):
        return 2
    def weights(self, bars):
        assert bars.symbols == ("AAPL", "IBM") and len(bars) == 6 and (bars.raw.close == bars.close * 2).all()
        return bars.close * self.scale
"""
    assert host.run(source, params={"scale": 0.5}) == 0
    assert host.lookback() == 2
    np.testing.assert_array_equal(host.decisions(0), np.arange(4.0, 12.0).reshape(4, 2) * 0.5)
    np.testing.assert_array_equal(host.decisions(1), (np.arange(4.0, 12.0).reshape(4, 2) + 100) * 0.5)


def test_random_numbers_follow_the_seed(host: _Host) -> None:
    source = """
import random
import numpy as np
from tapedeck import Strategy
class Mine(Strategy):
    fields = ("close",)
    def weights(self, bars):
        return np.random.random(bars.shape) + random.random()
"""
    assert host.run(source) == 0
    first = host.decisions(0).copy()
    assert host.run(source) == 0
    np.testing.assert_array_equal(first, host.decisions(0))


def test_a_top_level_main_reads_bars_and_submits_once(host: _Host) -> None:
    source = """
import sys
def main(run):
    bars = run.bars()
    run.submit(bars.close * 0 + run.params["weight"])
    sys.exit(0)
"""
    run = {"class_name": None, "level": "main", "params": {"weight": 0.25}}
    assert host.run(source, count=1, **run) == 0
    assert host.lookback() == 0
    assert (host.decisions(0) == 0.25).all()


def test_main_without_a_submission_is_a_failure(host: _Host) -> None:
    assert host.run("def main(run):\n    run.bars()\n", count=1, class_name=None, level="main") == 1
    assert "run.submit" in host.failure()["message"]


def test_an_exception_names_the_users_file_and_line(host: _Host) -> None:
    source = """
from tapedeck import Strategy
def helper(bars):
    return 1 / 0
class Mine(Strategy):
    fields = ("close",)
    def weights(self, bars):
        return helper(bars)
"""
    assert host.run(source) == 1
    failure = host.failure()
    assert (failure["kind"], failure["file"], failure["line"], failure["cell"]) == ("CODE", "strategy.py", 4, None)
    assert failure["message"].splitlines()[0] == "ZeroDivisionError: division by zero"
    assert "in weights(bars) on the bars from 1970-01-01 00:00 to" in failure["message"]
    assert "return helper(bars)" in failure["traceback"] and "runner.py" not in failure["traceback"]


def test_a_notebooks_exception_names_cell_and_line(host: _Host) -> None:
    cells = [
        "from tapedeck import Strategy",
        "class Mine(Strategy):\n def weights(self, bars):\n  raise KeyError(3)",
    ]
    notebook = {
        "cells": [{"cell_type": "code", "source": text, "metadata": {}, "outputs": []} for text in cells],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    assert host.run(json.dumps(notebook), name="mine.ipynb") == 1
    failure = host.failure()
    assert (failure["file"], failure["cell"], failure["line"]) == ("mine.ipynb", 2, 3)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ("None", "None"),
        ("bars.close[1:]", "(6, 2)"),
        ("bars.close + float('inf')", "inf"),
        ("'buy'", "numbers"),
        ("{'AAPL': bars.close[:, 0], 'IBN': bars.close[:, 1]}", "Did you mean 'IBM'"),
    ],
)
def test_what_is_no_table_of_weights_is_refused_with_what_was_expected_and_where(
    host: _Host, returned: str, words: str
) -> None:
    source = f"""
from tapedeck import Strategy
class Mine(Strategy):
    fields = ("close",)
    def weights(self, bars):
        return {returned}
"""
    assert host.run(source) == 1
    failure = host.failure()
    assert words in failure["message"] and failure["line"] == 5


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        ("SystemExit(0)", "CODE", "sys.exit(0)"),
        ("KeyboardInterrupt", "CODE", "KeyboardInterrupt"),
        ("MemoryError", "OUT_OF_MEMORY", "MiB in memory at the peak"),
        ("type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})", "CODE", "Odd"),
    ],
)
def test_every_way_to_raise_ends_in_a_failure(host: _Host, raised: str, kind: str, words: str) -> None:
    assert host.run(f"raise {raised}") == 1
    failure = host.failure()
    assert failure["kind"] == kind and words in failure["message"] and failure["line"] == 1


def test_a_strategy_that_the_sidecar_stops_leaves_quietly(host: _Host) -> None:
    source = "from tapedeck import Strategy\nclass Mine(Strategy):\n    fields = ('close',)\n"
    assert host.run(source, count=0, chunks=2) == 0
    assert not (host.root / "out/failure.json").exists()
    assert host.run("def main(run):\n    run.bars()\n", count=0, chunks=1, class_name=None, level="main") == 0


def test_pandas_is_not_imported_for_a_strategy_that_does_not() -> None:
    import subprocess

    script = "import sandbox.runner, sys; sys.exit('pandas' in sys.modules)"
    folder = Path(runner.__file__).parents[1]
    subprocess.run([sys.executable, "-c", script], env={"PYTHONPATH": str(folder)}, check=True, timeout=60)
