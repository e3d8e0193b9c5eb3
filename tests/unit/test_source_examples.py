"""Every example is a complete submission that decides on data which it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tapedeck import Bars, Run, source, strategy
from tapedeck.decisions import as_decisions
from tapedeck.submission import inspect_source, resolve_parameters

ALL = sorted((Path(__file__).parents[2] / "examples").glob("*.[pi]*[yb]"))
BY_BARS = [path for path in ALL if b"def on_bar" in path.read_bytes()]  # `test_orders_examples` holds them
ELSEWHERE = [path for path in ALL if b"sklearn" in path.read_bytes()]  # `test_examples` runs it
EXAMPLES = [path for path in ALL if path not in BY_BARS + ELSEWHERE]


def bars(symbols: list[str], rows: int = 400) -> Bars:
    rng = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (rows, len(symbols))), axis=0))
    session = (12_000 + np.arange(rows)).astype(np.int32)
    ts = session.astype(np.int64) * 86_400_000_000
    return Bars(symbols=symbols, ts=ts, session=session, fields={"close": close})


class Port:
    def __init__(self, seen: Bars) -> None:
        self.seen, self.decisions = seen, np.empty(0)

    def bars(self) -> Bars:
        return self.seen

    def submit(self, decisions: Any) -> None:
        self.decisions = decisions


def decide(path: Path, seen: Bars) -> Any:
    found = inspect_source(path.name, path.read_bytes())
    params = resolve_parameters(found, {})
    loaded: Any = source.load(path, path.name, found.kind, found.class_name)
    if found.level == "weights":
        return as_decisions(strategy.create(loaded, params).weights(seen), seen)
    port = Port(seen)
    loaded(Run(port, seen.symbols, params))
    return port.decisions


def test_there_are_examples_of_every_kind() -> None:
    assert {path.name for path in ALL} >= {
        "mean_reversion.py",
        "pairs.py",
        "crossover.py",
        "momentum.py",
        "momentum.ipynb",
        "inverse_volatility.py",
        "walk_forward.py",
        "compiled_crossover.py",
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_complete_and_decides(path: Path) -> None:
    found = inspect_source(path.name, path.read_bytes())
    assert {"dataset", "symbols", "start", "end"} <= set(found.header)
    symbols = found.header["symbols"]
    assert isinstance(symbols, list)
    weights = decide(path, bars(symbols))
    assert np.nanmax(weights) > 0
    assert np.nansum(weights, axis=1).max() <= 1 + 1e-12


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_does_not_look_ahead(path: Path) -> None:
    symbols = ["A", "B", "C"]
    whole = bars(symbols)
    early = Bars(symbols=symbols, ts=whole.ts[:300], session=whole.session[:300], fields={"close": whole.close[:300]})
    assert decide(path, whole)[:300].tobytes() == decide(path, early).tobytes()
