"""Indicators: functions on arrays, and objects that take one bar after the other and come to the same values.

Functions take float64 of shape (bars,) or (bars, symbols) in any memory order and return the same shape and order; they
work symbol by symbol, so Fortran order (as `bars.close` has it) is read as it lies. Values are NaN until there are
enough bars. `tapedeck.indicators.windows` look at their window only: a value is the same to the bit however the array
is cut. `tapedeck.indicators.smoothing` remember: they start with the array, and step over NaN; their objects (`Ema`,
`Rsi`, `Atr`, `Macd`) keep what they remember from chunk to chunk of a run.
"""

from tapedeck.indicators.sessions import Vwap, vwap
from tapedeck.indicators.smoothing import Atr, Ema, Macd, MacdValues, Rsi, atr, ema, macd, rsi
from tapedeck.indicators.streams import RollingStd, RollingSum, Sma, Wma
from tapedeck.indicators.windows import (
    Bands,
    bollinger,
    crossover,
    rolling_max,
    rolling_min,
    rolling_rank,
    rolling_std,
    rolling_sum,
    sma,
    wma,
    zscore,
)

__all__ = [
    "Atr",
    "Bands",
    "Ema",
    "Macd",
    "MacdValues",
    "RollingStd",
    "RollingSum",
    "Rsi",
    "Sma",
    "Vwap",
    "Wma",
    "atr",
    "bollinger",
    "crossover",
    "ema",
    "macd",
    "rolling_max",
    "rolling_min",
    "rolling_rank",
    "rolling_std",
    "rolling_sum",
    "rsi",
    "sma",
    "vwap",
    "wma",
    "zscore",
]
