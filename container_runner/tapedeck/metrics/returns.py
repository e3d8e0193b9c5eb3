"""Figures of the daily returns: Sharpe, volatility, Sortino, CAGR, moments. `conventions` tells them in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapedeck.metrics.undefined import Undefined

Array = NDArray[np.float64]

SAME = 1e-12  # a spread below this part of the mean is rounding, not variance


@dataclass(frozen=True)
class Daily:
    """A run's equity at its sessions' closes.

    `points`: (n + 1,), the starting cash first. `days`: calendar days from the first session to the last. `periods`: a
    year's. `risk_free`: a day's.
    """

    points: Array
    days: int
    periods: int
    risk_free: float

    @property
    def returns(self) -> Array:
        """Simple daily returns, (n,); raises `Undefined` when the equity fell to zero before the end."""
        if len(self.points) < 3:
            raise Undefined("fewer_than_2_returns")
        if (self.points[:-1] <= 0).any():
            raise Undefined("ruined")
        return self.points[1:] / self.points[:-1] - 1.0


def daily_rate(annual: float, periods: int) -> float:
    """Return the daily rate that compounds to `annual` over `periods`."""
    return float((1.0 + annual) ** (1.0 / periods) - 1.0)


def total_return(daily: Daily) -> float:
    """Return E_end / E_0 - 1."""
    return float(daily.points[-1] / daily.points[0] - 1.0)


def cagr(daily: Daily) -> float:
    """Return (E_end / E_0)^(365.25 / calendar days) - 1, or -1 when nothing is left."""
    if daily.days < 1:
        raise Undefined("shorter_than_a_day")
    ratio = float(daily.points[-1] / daily.points[0])
    try:
        return ratio ** (365.25 / daily.days) - 1.0 if ratio > 0 else -1.0
    except OverflowError:
        raise Undefined("not_finite") from None


def volatility(daily: Daily) -> float:
    """Return std(r, ddof=1) x sqrt(A)."""
    return float(np.std(daily.returns, ddof=1) * math.sqrt(daily.periods))


def sharpe(daily: Daily) -> float:
    """Return mean(r - rf) / std(r - rf, ddof=1) x sqrt(A)."""
    return daily_sharpe(daily) * math.sqrt(daily.periods)


def daily_sharpe(daily: Daily) -> float:
    """Return mean(r - rf) / std(r - rf, ddof=1): not annualised."""
    excess = daily.returns - daily.risk_free
    return float(np.mean(excess) / _spread(excess))


def sortino(daily: Daily) -> float:
    """Return mean(r - mar) x A / (sqrt(mean(min(r - mar, 0)^2)) x sqrt(A)), mar = rf, over all periods."""
    excess = daily.returns - daily.risk_free
    downside = float(np.sqrt(np.mean(np.minimum(excess, 0.0) ** 2)))
    if downside == 0:
        raise Undefined("no_losses")
    return float(np.mean(excess) * daily.periods / (downside * math.sqrt(daily.periods)))


def skewness(daily: Daily) -> float:
    """Return the third standardised moment, population form."""
    returns = daily.returns
    _spread(returns)
    centred = returns - returns.mean()
    return float(np.mean(centred**3) / np.mean(centred**2) ** 1.5)


def kurtosis(daily: Daily) -> float:
    """Return the fourth standardised moment, population form: 3 for a normal distribution."""
    returns = daily.returns
    _spread(returns)
    centred = returns - returns.mean()
    return float(np.mean(centred**4) / np.mean(centred**2) ** 2)


def _spread(returns: Array) -> float:
    spread = float(np.std(returns, ddof=1))
    if spread == 0 or spread < SAME * abs(float(np.mean(returns))):
        raise Undefined("no_variance")
    return spread
