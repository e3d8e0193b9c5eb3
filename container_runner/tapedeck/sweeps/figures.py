"""The figures of many trials at once, each equal to what `tapedeck.metrics` gives for the trial alone."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tapedeck.bars import Array
from tapedeck.metrics import returns, significance
from tapedeck.metrics.undefined import tell


class Figures(NamedTuple):
    """Of each trial (trials,); a Sharpe ratio that is not defined is NaN, and `reasons` says why, by trial."""

    final_equity: Array
    total_return: Array
    max_drawdown: Array
    sharpe: Array
    reasons: dict[int, str]


def of_trials(equity: Array, cash: float, periods: int, risk_free: float) -> Figures:
    """Return the figures of (trials, sessions) equity at the sessions' closes; `risk_free`: annual.

    Raises `ValueError` for an equity that is NaN or infinite.
    """
    if not np.isfinite(equity).all():
        raise ValueError(f"the equity of trial {int(np.argwhere(~np.isfinite(equity))[0, 0])} is not finite")
    points = np.concatenate([np.full((len(equity), 1), cash), equity], axis=1)
    below = points / np.maximum.accumulate(points, axis=1) - 1.0
    ratios, reasons = _sharpes(points, returns.daily_rate(risk_free, periods), periods)
    return Figures(points[:, -1], points[:, -1] / points[:, 0] - 1.0, below.min(axis=1), ratios, reasons)


def _sharpes(points: Array, rate: float, periods: int) -> tuple[Array, dict[int, str]]:
    ratios, reasons = np.full(len(points), np.nan), dict[int, str]()
    with np.errstate(all="ignore"):  # what is not defined is found below, by the function for one trial
        excess = (points[:, 1:] / points[:, :-1] - 1.0) - rate
        mean, spread = excess.mean(axis=1), excess.std(axis=1, ddof=1)
        ratios = mean / spread * math.sqrt(periods)
        odd = (points[:, :-1] <= 0).any(axis=1) | ~(spread > returns.SAME * np.abs(mean)) | ~np.isfinite(ratios)
    for trial in range(len(points)) if points.shape[1] < 3 else np.flatnonzero(odd).tolist():
        value, reason = tell(lambda trial=trial: returns.sharpe(_daily(points[trial], periods, rate)))  # type: ignore[misc]
        ratios[trial] = math.nan if value is None else value
        if reason:
            reasons[trial] = reason
    return ratios, reasons


class Deflated(NamedTuple):
    """How far the best trial's Sharpe ratio can be believed; Sharpe ratios annualised, probabilities from 0 to 1."""

    trials: int
    sharpe: float
    expected_best: float  # Sharpe ratio that the best of as many worthless trials is expected to show
    probabilistic: float  # that the true ratio is above 0, as if nothing else had been tried
    deflated: float  # that it is above `expected_best`


def deflated(equity: Array, ratios: Array, cash: float, periods: int, risk_free: float) -> Deflated | None:
    """Return how far the best Sharpe ratio can be believed after so many trials; None when none is defined.

    `equity`: of the trial with the best ratio; `ratios`: of all trials, NaN where not defined.
    """
    known = ratios[~np.isnan(ratios)]
    if not len(known):
        return None
    daily = _daily(np.concatenate([[cash], equity]), periods, returns.daily_rate(risk_free, periods))
    variance = float(np.var(known, ddof=1)) / periods if len(known) > 1 else 0.0
    one = returns.daily_sharpe(daily)
    moments = len(daily.returns), returns.skewness(daily), returns.kurtosis(daily)
    expected = significance.expected_maximum_sharpe(len(known), variance)
    try:
        alone = significance.probabilistic_sharpe(one, *moments)
        after = significance.deflated_sharpe(one, *moments, trials=len(known), variance=variance)
    except ValueError:  # moments for which the ratio's error is not defined
        return None
    scale = math.sqrt(periods)
    return Deflated(len(known), one * scale, expected * scale, alone, after)


def _daily(points: Array, periods: int, rate: float) -> returns.Daily:
    return returns.Daily(points, 0, periods, rate)
