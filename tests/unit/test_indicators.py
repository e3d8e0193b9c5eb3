"""Indicators: right against pandas, the same to the bit however the array is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapedeck import compiled
from tapedeck import indicators as ind
from tapedeck.indicators import windows

WINDOWED = [ind.sma, ind.wma, ind.rolling_sum, ind.rolling_std, ind.rolling_min, ind.rolling_max, ind.rolling_rank]
WINDOWED += [ind.zscore]


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
        "rolling_rank": rolling.rank,
        "wma": lambda: rolling.apply(lambda x: (x * weights).sum() / weights.sum(), raw=True),
        "zscore": lambda: (pd.DataFrame(prices) - rolling.mean()) / rolling.std(),
    }
    return made[name]().to_numpy()


@pytest.mark.parametrize("indicator", WINDOWED)
@pytest.mark.parametrize("gaps", [0.0, 0.02])
def test_a_windowed_indicator_agrees_with_pandas(indicator: Callable[..., Any], gaps: float) -> None:
    prices = walk(300, 3, gaps=gaps)
    for window in (1, 2, 3, 20, 37):
        expected = frame(indicator.__name__, prices, window)
        np.testing.assert_allclose(indicator(prices, window), expected, rtol=1e-9, atol=1e-9)
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


@pytest.mark.parametrize("indicator", [ind.sma, ind.rolling_sum], ids=lambda indicator: indicator.__name__)
@given(rows=st.integers(0, 5000), window=st.integers(1, 3000), width=st.integers(0, 3), order=st.sampled_from("CFS"))
def test_compiled_sums_are_the_references_bytes(
    indicator: Callable[..., Any], rows: int, window: int, width: int, order: str
) -> None:
    prices = walk(rows + 2, width, gaps=0.001)
    prices = np.asfortranarray(prices)[1:-1] if order == "S" else np.array(prices[1:-1], order=order)
    done = indicator(prices, window)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "library", lambda: None)
        expected = indicator(prices, window)
    assert done.tobytes() == expected.tobytes()
    assert done.strides == expected.strides


def test_blocks_do_not_show_in_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = walk(1000, 4)
    whole = ind.sma(prices, 50)
    monkeypatch.setattr(windows, "BLOCK", 64)
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


def true_range(high: Any, low: Any, close: Any) -> Any:
    """Wilder's, by pandas, with the gaps left out."""
    before = pd.Series(close).shift()
    return pd.concat([pd.Series(high - low), (high - before).abs(), (low - before).abs()], axis=1).max(axis=1)


def test_atr_is_wilders() -> None:
    # The worked example of StockCharts' ChartSchool for ATR(14), QQQQ in spring 2010.
    high = [48.70, 48.72, 48.90, 48.87, 48.82, 49.05, 49.20, 49.35, 49.92, 50.19, 50.12, 49.66, 49.88, 50.19, 50.36]
    low = [47.79, 48.14, 48.39, 48.37, 48.24, 48.64, 48.94, 48.86, 49.50, 49.87, 49.20, 48.90, 49.43, 49.73, 49.26]
    close = [48.16, 48.61, 48.75, 48.63, 48.74, 49.03, 49.07, 49.32, 49.91, 50.13, 49.53, 49.50, 49.75, 50.03, 50.31]
    high += [50.57, 50.65, 50.43, 49.63, 50.33, 50.29, 50.17, 49.32, 48.50, 48.32]
    low += [50.09, 50.30, 49.21, 48.98, 49.61, 49.20, 49.43, 48.08, 47.64, 41.55]
    close += [50.52, 50.41, 49.34, 49.37, 50.23, 49.24, 49.93, 48.43, 48.18, 46.57]
    told = [0.56, 0.59, 0.59, 0.57, 0.62, 0.62, 0.64, 0.67, 0.69, 0.78, 0.78, 1.21]
    result = ind.atr(high, low, close, 14)
    assert np.isnan(result[:13]).all()
    np.testing.assert_allclose(result[13:], told, atol=0.011)


def test_atr_agrees_with_pandas_and_steps_over_gaps() -> None:
    high, low, close = ohlc(300)
    reach = true_range(high, low, close)
    begun = np.concatenate([[reach[:14].mean()], reach[14:]])
    expected = pd.Series(begun).ewm(alpha=1 / 14, adjust=False).mean()
    np.testing.assert_allclose(ind.atr(high, low, close)[13:], expected, rtol=1e-12)
    gap = [np.insert(values, 50, np.nan) for values in (high, low, close)]
    result = ind.atr(*gap)
    assert np.isnan(result[50])
    assert np.delete(result, 50).tobytes() == ind.atr(high, low, close).tobytes()


def test_ema_is_that_of_the_chartists() -> None:
    # StockCharts' ChartSchool, EMA(10) of INTC.
    closes = [22.27, 22.19, 22.08, 22.17, 22.18, 22.13, 22.23, 22.43, 22.24, 22.29, 22.15, 22.39, 22.38, 22.61, 23.36]
    told = [22.22, 22.21, 22.24, 22.27, 22.33, 22.52]
    np.testing.assert_allclose(ind.ema(closes, 10)[9:], told, atol=0.0051)


def test_bollinger_bands_are_bollingers() -> None:
    # StockCharts' ChartSchool, bands of 20 bars and 2 population deviations.
    closes = [86.16, 89.09, 88.78, 90.32, 89.07, 91.15, 89.44, 89.18, 86.93, 87.68, 86.96, 89.43, 89.32, 88.72, 87.45]
    closes += [87.26, 89.50, 87.90, 89.13, 90.70, 92.90]
    bands = ind.bollinger(closes)
    np.testing.assert_allclose([band[-2] for band in bands], [86.12, 88.71, 91.29], atol=0.011)
    np.testing.assert_allclose([band[-1] for band in bands], [86.14, 89.05, 91.95], atol=0.011)
    prices = walk(200, 2, gaps=0.01)
    rolling = pd.DataFrame(prices).rolling(10)
    for sign, band in zip((-1, 0, 1), ind.bollinger(prices, 10, 1.5), strict=True):
        np.testing.assert_allclose(band, rolling.mean() + sign * 1.5 * rolling.std(ddof=0), rtol=1e-9)


def test_macd_is_the_difference_of_two_averages_and_its_own_average() -> None:
    prices = walk(120, 2)

    def begun(values: Any, window: int) -> Any:
        start = pd.DataFrame(values[window - 1 :]).copy()
        start.iloc[0] = values[:window].mean(axis=0)
        nothing = np.full((window - 1, values.shape[1]), np.nan)
        return np.concatenate([nothing, start.ewm(span=window, adjust=False).mean().to_numpy()])

    line = begun(prices, 5) - begun(prices, 13)
    signal = np.concatenate([line[:12], begun(line[12:], 4)])
    signal[:12] = np.nan
    got = ind.macd(prices, 5, 13, 4)
    for name, expected in (("line", line), ("signal", signal), ("histogram", line - signal)):
        np.testing.assert_allclose(getattr(got, name), expected, rtol=1e-9, atol=1e-12)


def test_vwap_begins_anew_with_each_session_and_leaves_out_what_did_not_trade() -> None:
    high, low, close = ohlc(60)
    volume = np.random.default_rng(2).integers(0, 3, 60) * 100.0
    session = np.repeat(np.arange(6, dtype=np.int32), 10)
    high[[0, 25]] = np.nan
    price = (high + low + close) / 3
    table = pd.DataFrame({"session": session, "value": price * volume, "volume": np.where(np.isnan(price), 0, volume)})
    sums = table.groupby("session").cumsum()
    expected = np.where(np.isnan(price), np.nan, sums["value"] / sums["volume"].where(sums["volume"] > 0))
    np.testing.assert_allclose(ind.vwap(high, low, close, volume, session), expected, rtol=1e-12)
    assert np.isnan(expected[0]) and np.isnan(expected[25])
    with pytest.raises(ValueError, match=r"session has shape \(59,\), expected \(60,\)"):
        ind.vwap(high, low, close, volume, session[1:])


def test_ties_share_their_rank() -> None:
    assert ind.rolling_rank(np.array([1.0, 2.0, 2.0, 2.0, 0.0]), 3)[2:].tolist() == [2.5, 2.0, 1.0]


def test_a_window_that_does_not_vary_has_no_deviation_and_no_zscore() -> None:
    still = np.full(200, 0.1)
    assert (ind.rolling_std(still, 100)[99:] == 0).all()
    assert np.isnan(ind.zscore(still, 100)).all()


def ohlc(rows: int) -> list[Any]:
    close = walk(rows, 1, seed=5)[:, 0]
    rng = np.random.default_rng(6)
    return [close * (1 + rng.random(rows) * 0.02), close * (1 - rng.random(rows) * 0.02), close]


def every(prices: Any) -> dict[str, Any]:
    """All indicators of one array, by name, as arrays."""
    session = np.arange(len(prices)) // 7
    made = {each.__name__: each(prices, 5) for each in [*WINDOWED, ind.ema, ind.rsi]}
    made |= ind.bollinger(prices, 5)._asdict() | ind.macd(prices, 3, 5, 4)._asdict()
    made |= {"atr": ind.atr(prices, prices, prices, 5), "vwap": ind.vwap(prices, prices, prices, prices, session)}
    return made | {"crossover": ind.crossover(prices, 100.0)}


def test_shape_and_memory_order_are_those_of_the_input_and_do_not_show_in_the_values() -> None:
    rows = walk(60, 4, gaps=0.02)
    columns = np.asfortranarray(rows)
    wide = np.asfortranarray(np.vstack([rows, rows]))[:60]  # rows of an array that is longer: no order of its own
    for (name, first), second, third in zip(
        every(rows).items(), every(columns).values(), every(wide).values(), strict=True
    ):
        assert first.shape == (60, 4), name
        assert first.flags.c_contiguous and second.flags.f_contiguous and third.T.flags.c_contiguous, name
        assert first.tobytes() == second.tobytes("C") == third.tobytes("C"), name
    for index in range(4):
        for (name, one), whole in zip(every(rows[:, index]).items(), every(rows).values(), strict=True):
            assert one.tobytes() == whole[:, index].tobytes(), name


def test_arrays_of_different_shapes_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"different shapes: high \(3,\), low \(4,\), close \(3,\)"):
        ind.atr(np.ones(3), np.ones(4), np.ones(3))
    with pytest.raises(ValueError, match=r"shape \(bars,\) or \(bars, symbols\)"):
        ind.ema(np.ones((2, 2, 2)), 2)


@pytest.mark.parametrize("indicator", [*WINDOWED, ind.ema, ind.rsi])
def test_an_array_shorter_than_the_window_is_all_nan(indicator: Callable[..., Any]) -> None:
    assert np.isnan(indicator(np.ones(3), 5)).all()
    assert indicator(np.ones((0, 2)), 5).shape == (0, 2)


@pytest.mark.parametrize("window", [0, -1, 2.5, True, "20"])
def test_a_window_that_is_no_count_is_refused(window: object) -> None:
    with pytest.raises(ValueError, match="whole number of bars"):
        ind.sma(np.ones(3), window)  # type: ignore[arg-type]
