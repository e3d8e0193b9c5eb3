"""Indicators: right against pandas, the same to the bit however the array is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapedeck import indicators as ind

WINDOWED = [ind.sma, ind.wma, ind.rolling_sum, ind.rolling_std, ind.rolling_min, ind.rolling_max, ind.zscore]


def walk(rows: int, columns: int, seed: int = 1, gaps: float = 0.0) -> np.ndarray[Any, np.dtype[np.float64]]:
    rng = np.random.default_rng(seed)
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (rows, columns)), axis=0))
    prices[rng.random(prices.shape) < gaps] = np.nan
    return prices


def frame(name: str, prices: Any, window: int) -> Any:
    rolling = pd.DataFrame(prices).rolling(window)
    weights = np.arange(1, window + 1)
    made: dict[str, Callable[[], Any]] = {
        "sma": rolling.mean,
        "rolling_sum": rolling.sum,
        "rolling_std": rolling.std,
        "rolling_min": rolling.min,
        "rolling_max": rolling.max,
        "wma": lambda: rolling.apply(lambda x: (x * weights).sum() / weights.sum(), raw=True),
        "zscore": lambda: (pd.DataFrame(prices) - rolling.mean()) / rolling.std(),
    }
    return made[name]().to_numpy()


@pytest.mark.parametrize("indicator", WINDOWED)
@pytest.mark.parametrize("gaps", [0.0, 0.02])
def test_a_windowed_indicator_agrees_with_pandas(indicator: Callable[..., Any], gaps: float) -> None:
    prices = walk(300, 3, gaps=gaps)
    np.testing.assert_allclose(indicator(prices, 20), frame(indicator.__name__, prices, 20), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(indicator(prices[:, 0], 20), indicator(prices, 20)[:, 0])


@pytest.mark.parametrize("indicator", WINDOWED)
@given(first=st.integers(0, 150), rows=st.integers(1, 150), window=st.integers(1, 30))
def test_a_windowed_indicator_is_the_same_to_the_bit_however_it_is_cut(
    indicator: Callable[..., Any], first: int, rows: int, window: int
) -> None:
    prices = walk(300, 2, gaps=0.01)
    whole = indicator(prices, window)
    start = max(0, first - window + 1)
    cut = indicator(prices[start : first + rows], window)
    assert cut[first - start :].tobytes() == whole[first : first + rows].tobytes()


def test_blocks_do_not_show_in_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = walk(1000, 4)
    whole = ind.sma(prices, 50)
    monkeypatch.setattr(ind, "BLOCK", 64)
    assert ind.sma(prices, 50).tobytes() == whole.tobytes()


def test_ema_agrees_with_its_recursion_and_steps_over_gaps() -> None:
    prices = walk(200, 2)
    expected = pd.DataFrame(prices[9:]).copy()
    expected.iloc[0] = prices[:10].mean(axis=0)
    np.testing.assert_allclose(ind.ema(prices, 10)[9:], expected.ewm(span=10, adjust=False).mean(), rtol=1e-12)
    assert np.isnan(ind.ema(prices, 10)[:9]).all()
    gap = np.insert(prices, 50, np.nan, axis=0)
    assert np.delete(ind.ema(gap, 10), 50, axis=0).tobytes() == ind.ema(prices, 10).tobytes()


def test_rsi_is_wilders() -> None:
    # The worked example of StockCharts' ChartSchool for RSI(14), closes of QQQQ.
    closes = [44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931]
    closes += [46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439]
    result = ind.rsi(np.array(closes), 14)
    assert np.isnan(result[:14]).all()
    np.testing.assert_allclose(result[14:], [70.53, 66.32, 66.55, 69.41, 66.36, 57.97], atol=0.011)


def test_rsi_of_a_still_price_is_50_and_of_a_rising_one_100() -> None:
    assert ind.rsi(np.full(20, 5.0), 5)[-1] == 50.0
    assert ind.rsi(np.arange(20.0), 5)[-1] == 100.0


def test_crossover_is_true_at_the_bar_of_the_crossing_only() -> None:
    a = np.array([np.nan, 1.0, 2.0, 3.0, 1.0, 3.0])
    b = np.full(6, 2.0)
    assert ind.crossover(a, b).tolist() == [False, False, False, True, False, True]
    assert ind.crossover(np.array([3.0, 3.0]), np.array([2.0, 2.0])).tolist() == [False, False]


@pytest.mark.parametrize("indicator", [*WINDOWED, ind.ema, ind.rsi])
def test_an_array_shorter_than_the_window_is_all_nan(indicator: Callable[..., Any]) -> None:
    assert np.isnan(indicator(np.ones(3), 5)).all()
    assert indicator(np.ones((0, 2)), 5).shape == (0, 2)


@pytest.mark.parametrize("window", [0, -1, 2.5, True, "20"])
def test_a_window_that_is_no_count_is_refused(window: object) -> None:
    with pytest.raises(ValueError, match="whole number of bars"):
        ind.sma(np.ones(3), window)  # type: ignore[arg-type]
