"""Indicators that begin anew with each session."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from tapedeck.indicators.lanes import Array, alike, lanes, like


def vwap(high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike, session: ArrayLike) -> Array:
    """Return the session's volume-weighted average price so far: sum(p x volume) / sum(volume), p = (h + l + c) / 3.

    `session`: (bars,), as `bars.session`. NaN where nothing was traded at the bar or, so far, in the session. A session
    whose begin the array does not hold is averaged from the array's first bar on. The typical price p is the form in
    which StockCharts' ChartSchool and most charts state it.
    """
    tops, bottoms, closes, volumes = alike(high=high, low=low, close=close, volume=volume)
    days = np.asarray(session)
    if days.shape != (len(tops),):
        raise ValueError(f"session has shape {days.shape}, expected ({len(tops)},): one for each bar")
    traded, price = lanes(volumes), (lanes(tops) + lanes(bottoms) + lanes(closes)) / 3.0
    missing = np.isnan(price) | np.isnan(traded)
    shares = np.where(missing, 0.0, traded)
    value = np.where(missing, 0.0, price) * shares
    edges = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(days)]
    for first, last in pairwise(edges):
        for sums in (shares, value):
            np.cumsum(sums[:, first:last], axis=1, out=sums[:, first:last])
    missing |= shares == 0
    return like(closes, np.where(missing, np.nan, value / np.where(shares == 0, 1.0, shares)))


class Vwap:
    """`vwap` of one symbol, one bar at a time."""

    __slots__ = ("_session", "_shares", "_value")

    def __init__(self) -> None:
        self._session: object = None
        self._shares = self._value = 0.0

    def update(self, high: float, low: float, close: float, volume: float, session: object) -> float:
        """Take the next bar; `session` is whatever tells one session from another, as `bar.session`."""
        if session != self._session:
            self._session, self._shares, self._value = session, 0.0, 0.0
        price = (high + low + close) / 3.0
        if math.isnan(price) or math.isnan(volume):
            return math.nan
        self._shares += volume
        self._value += price * volume
        return self._value / self._shares if self._shares else math.nan
