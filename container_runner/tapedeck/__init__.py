"""Tapedeck: replay the market for a strategy.

A strategy file needs one import: ``from tapedeck import Strategy, sma``. Names are loaded when first used, so that
`tapedeck.submission` (which runs where there is no NumPy) costs nothing but itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tapedeck import instructions

if TYPE_CHECKING:
    from tapedeck.bars import Bars as Bars
    from tapedeck.book import Bar as Bar
    from tapedeck.book import Book as Book
    from tapedeck.compiling import jit as jit
    from tapedeck.corporate import actions as actions
    from tapedeck.indicators import Atr as Atr
    from tapedeck.indicators import Ema as Ema
    from tapedeck.indicators import Macd as Macd
    from tapedeck.indicators import RollingStd as RollingStd
    from tapedeck.indicators import RollingSum as RollingSum
    from tapedeck.indicators import Rsi as Rsi
    from tapedeck.indicators import Sma as Sma
    from tapedeck.indicators import Vwap as Vwap
    from tapedeck.indicators import Wma as Wma
    from tapedeck.indicators import atr as atr
    from tapedeck.indicators import bollinger as bollinger
    from tapedeck.indicators import crossover as crossover
    from tapedeck.indicators import ema as ema
    from tapedeck.indicators import macd as macd
    from tapedeck.indicators import rolling_max as rolling_max
    from tapedeck.indicators import rolling_min as rolling_min
    from tapedeck.indicators import rolling_rank as rolling_rank
    from tapedeck.indicators import rolling_std as rolling_std
    from tapedeck.indicators import rolling_sum as rolling_sum
    from tapedeck.indicators import rsi as rsi
    from tapedeck.indicators import sma as sma
    from tapedeck.indicators import vwap as vwap
    from tapedeck.indicators import wma as wma
    from tapedeck.indicators import zscore as zscore
    from tapedeck.laptop.in_memory import backtest as backtest
    from tapedeck.query import bars as bars
    from tapedeck.run import Run as Run
    from tapedeck.strategy import Strategy as Strategy
    from tapedeck.sweeps.sweep import sweep as sweep

_INDICATORS = """
    Atr Ema Macd RollingStd RollingSum Rsi Sma Vwap Wma
    atr bollinger crossover ema macd rolling_max rolling_min rolling_rank rolling_std
    rolling_sum rsi sma vwap wma zscore
"""
_HOME = {  # public name -> module that defines it
    "Bar": "book",
    "Bars": "bars",
    "Book": "book",
    "Run": "run",
    "actions": "corporate",
    "backtest": "laptop.in_memory",
    "bars": "query",
    "jit": "compiling",
    "Strategy": "strategy",
    "sweep": "sweeps.sweep",
    **dict.fromkeys(_INDICATORS.split(), "indicators"),
}
__all__ = [*_HOME]  # noqa: PLE0604 - a list of names, made once

instructions.pin()


def __getattr__(name: str) -> object:
    if name.startswith("__") or name not in _HOME:
        from tapedeck.suggest import did_you_mean  # noqa: PLC0415 - difflib is needed for a mistake only

        raise AttributeError(f"module 'tapedeck' has no attribute {name!r}{did_you_mean(name, _HOME)}")
    value: object = getattr(import_module(f"tapedeck.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
