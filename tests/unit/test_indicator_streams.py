"""Indicators as objects: the same to the bit as the functions, bar by bar and however a run is cut into chunks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapedeck import Bars, compiled
from tapedeck import indicators as ind
from tapedeck.indicators.recursion import Recursion
from tests.unit import dice
from tests.unit.test_indicators import walk

ROWS = 120
CUTS = st.lists(st.integers(0, ROWS), max_size=6).map(sorted)


@dataclass
class Rows:
    ts: Any


def prices(seed: int) -> list[Any]:
    """High, low and close of two symbols with gaps, in Fortran order as a run's bars are."""
    close = walk(ROWS, 2, seed=seed, gaps=0.05)
    high = close * (1 + np.random.default_rng(seed).random(close.shape) * 0.02)
    return [np.asfortranarray(values) for values in (high, close * 0.99, close)]


@pytest.mark.parametrize("window", [1, 2, 7, 20, 64])
@pytest.mark.parametrize(
    "name", ["Sma", "Wma", "RollingSum", "RollingStd", "Ema", "Rsi"], ids=lambda name: name.lower()
)
def test_an_object_comes_bar_by_bar_to_what_its_function_does(name: str, window: int) -> None:
    close = prices(1)[2][:, 0]
    functions = {"RollingSum": ind.rolling_sum, "RollingStd": ind.rolling_std}
    function = functions.get(name) or getattr(ind, name.lower())
    one = getattr(ind, name)(window)
    assert np.array([one.update(value) for value in close]).tobytes() == function(close, window).tobytes()


def test_objects_of_several_fields_do_so_too() -> None:
    high, low, close = (values[:, 0] for values in prices(2))
    one, other, third = ind.Atr(5), ind.Macd(3, 7, 4), ind.Vwap()
    volume, session = np.random.default_rng(3).integers(0, 2, ROWS) * 10.0, np.arange(ROWS) // 9
    bars = list(zip(high, low, close, strict=True))
    assert np.array([one.update(*bar) for bar in bars]).tobytes() == ind.atr(high, low, close, 5).tobytes()
    seen = np.array([other.update(value) for value in close]).T
    assert seen.tobytes() == np.array(ind.macd(close, 3, 7, 4)).tobytes()
    seen = np.array([third.update(*bar, *more) for bar, *more in zip(bars, volume, session, strict=True)])
    assert seen.tobytes() == ind.vwap(high, low, close, volume, session).tobytes()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), cuts=CUTS, history=st.integers(0, 30))
def test_over_a_run_the_values_do_not_depend_on_how_it_is_cut(seed: int, cuts: list[int], history: int) -> None:
    high, low, close = prices(seed)
    ts = np.arange(ROWS) * 60
    kept = {"ema": ind.Ema(5), "rsi": ind.Rsi(4), "atr": ind.Atr(5), "macd": ind.Macd(3, 5, 4)}
    wholes = {
        "ema": ind.ema(close, 5),
        "rsi": ind.rsi(close, 4),
        "atr": ind.atr(high, low, close, 5),
        "macd": ind.macd(close, 3, 5, 4).signal,
    }
    for first, last in zip([0, *cuts], [*cuts, ROWS], strict=True):
        early = max(0, first - history)  # a chunk comes after bars that the object has seen
        rows = slice(early, last)
        bars = Rows(ts[rows])
        got: dict[str, Any] = {name: kept[name].over(bars, close[rows]) for name in ("ema", "rsi", "macd")}
        got |= {"macd": got["macd"].signal, "atr": kept["atr"].over(bars, high[rows], low[rows], close[rows])}
        for name, whole in wholes.items():
            own = got[name][first - early :]
            assert own.tobytes() == whole[first:last].tobytes(), name
            assert_same_or_forgotten(got[name][: first - early], whole[early:first])


def assert_same_or_forgotten(got: Any, whole: Any) -> None:
    forgotten = np.isnan(got)
    assert got[~forgotten].tobytes() == whole[~forgotten].tobytes()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), window=st.integers(1, 30), cuts=CUTS, wild=st.booleans())
def test_compiled_smoothing_has_the_bytes_of_the_recursion_in_python(
    seed: int, window: int, cuts: list[int], wild: bool
) -> None:
    assert compiled.library() is not None, "make kernel"
    lane = np.repeat(prices(seed)[2][:, 0], 2)[::2]
    if wild:
        lane[np.random.default_rng(seed).integers(0, ROWS, 4)] = [np.inf, -np.inf, -0.0, 1e308]
    one, other = Recursion(window, 2 / (window + 1)), Recursion(window, 2 / (window + 1))
    with np.errstate(all="ignore"):
        expected = np.array([one.update(value) for value in lane.tolist()])
        parts = [other.extend(lane[a:b]) for a, b in zip([0, *cuts], [*cuts, ROWS], strict=True)]
    assert np.concatenate(parts).tobytes() == expected.tobytes()
    assert (other.seen, np.float64(other.total).tobytes()) == (one.seen, np.float64(one.total).tobytes())


def test_history_is_answered_from_memory() -> None:
    close = prices(3)[2]
    average, whole = ind.Ema(5), ind.ema(close, 5)
    average.over(Rows(np.arange(50)), close[:50])
    got = average.over(Rows(np.arange(40, 90)), close[40:90])
    assert got.tobytes() == whole[40:90].tobytes()


def test_an_object_says_when_what_it_is_given_does_not_fit() -> None:
    average = ind.Ema(3)
    average.over(Rows(np.arange(4)), np.ones((4, 2)))
    with pytest.raises(ValueError, match="has seen 2 symbols so far, not 3"):
        average.over(Rows(np.arange(4, 8)), np.ones((4, 3)))
    with pytest.raises(ValueError, match="3 values do not fit 4 bars"):
        average.over(Rows(np.arange(4, 8)), np.ones((3, 2)))


def test_the_documentations_strategies_run() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "indicators.md").read_text()
    found: dict[str, Any] = {}
    for block in page.split("```python\n")[1:]:
        exec(block.split("```")[0], found)
    played, _ = dice.play(found["Crossover"](), 1, [200])
    assert sum(len(chunk.step.fills) for chunk in played) > 2
    close = prices(1)[2]
    ts = np.arange(ROWS, dtype=np.int64)
    bars = Bars(symbols=["A", "B"], ts=ts, session=ts.astype(np.int32), fields={"close": close})
    assert found["Above"]().weights(bars).shape == close.shape
