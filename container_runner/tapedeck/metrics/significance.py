"""How far a Sharpe ratio can be believed: probabilistic and deflated (Bailey and Lopez de Prado, 2012 and 2014).

Sharpe ratios here are not annualised; kurtosis is Pearson's (normal = 3), not the excess.
"""

from __future__ import annotations

import math
from statistics import NormalDist

EULER = 0.5772156649015329
_NORMAL = NormalDist()


def probabilistic_sharpe(
    sharpe: float, returns: int, skewness: float, kurtosis: float, benchmark: float = 0.0
) -> float:
    """Return the probability that the true Sharpe ratio is above `benchmark`, from `returns` observations.

    Raises `ValueError` for fewer than 2 returns or moments that no distribution has.
    """
    variance = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    if returns < 2 or variance <= 0:
        raise ValueError("the Sharpe ratio's error is not defined for these moments")
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt(returns - 1) / math.sqrt(variance))


def expected_maximum_sharpe(trials: int, variance: float) -> float:
    """Return the Sharpe ratio that the best of `trials` worthless strategies is expected to show.

    `variance`: of the trials' Sharpe ratios, not annualised. One trial gives 0.
    """
    if trials < 2:
        return 0.0
    first, second = _NORMAL.inv_cdf(1.0 - 1.0 / trials), _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance) * ((1.0 - EULER) * first + EULER * second)


def deflated_sharpe(
    sharpe: float, returns: int, skewness: float, kurtosis: float, *, trials: int, variance: float
) -> float:
    """Return the probability that the true Sharpe ratio is above what `trials` worthless ones would show at best."""
    benchmark = expected_maximum_sharpe(trials, variance)
    return probabilistic_sharpe(sharpe, returns, skewness, kurtosis, benchmark)
