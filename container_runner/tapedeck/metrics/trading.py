"""Figures of the fills and of the positions: trades, costs, turnover, exposure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tapedeck.engine.fills import Fills
from tapedeck.metrics.undefined import Undefined

Array = NDArray[np.float64]


def closed(fills: Fills) -> Array:
    """Return the profit of each fill that closed a position or a part of it, in currency."""
    realised = fills.realised
    return realised[~np.isnan(realised)]


def win_rate(profits: Array) -> float:
    """Return the fraction of closing fills with a profit above zero."""
    if not len(profits):
        raise Undefined("no_closed_trades")
    return float(np.mean(profits > 0))


def profit_factor(profits: Array) -> float:
    """Return the sum of profits over the sum of losses."""
    if not len(profits):
        raise Undefined("no_closed_trades")
    lost = -float(profits[profits < 0].sum())
    if lost == 0:
        raise Undefined("no_losing_trades")
    return float(profits[profits > 0].sum()) / lost


def average_trade(profits: Array) -> float:
    """Return the mean profit of a closing fill, in currency."""
    if not len(profits):
        raise Undefined("no_closed_trades")
    return float(np.mean(profits))


def turnover(fills: Fills, equity: Array, periods: int) -> float:
    """Return traded value / mean daily equity, a year."""
    average = float(np.mean(equity))
    if average <= 0:
        raise Undefined("ruined")
    traded = float((np.abs(fills.quantity) * fills.price).sum())
    return traded / average * periods / len(equity)


def exposure(value: Array | None, equity: Array) -> float:
    """Return the mean over sessions of value held / equity, both at the close."""
    if value is None:
        raise Undefined("not_given")
    if (equity <= 0).any():
        raise Undefined("ruined")
    return float(np.mean(value / equity))
