"""A run's figures, each with its convention beside it: equal returns give equal numbers, and one knows which.

Daily simple returns of the equity at each session's close, the starting cash as point 0; periods a year from the
calendar. No figure is rounded; one that is not defined is None with a reason code.
"""

from __future__ import annotations

from tapedeck.metrics.drawdown import series as drawdown_series
from tapedeck.metrics.significance import deflated_sharpe, expected_maximum_sharpe, probabilistic_sharpe
from tapedeck.metrics.summary import daily_equity, monthly_returns, summarise
from tapedeck.versions import METRIC_SCHEMA

__all__ = [
    "METRIC_SCHEMA",
    "daily_equity",
    "deflated_sharpe",
    "drawdown_series",
    "expected_maximum_sharpe",
    "monthly_returns",
    "probabilistic_sharpe",
    "summarise",
]
