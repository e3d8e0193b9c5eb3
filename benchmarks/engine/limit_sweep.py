"""The limit for S3: a compiled single pass a pair that knows the strategy, with drawdown and Sharpe ratio."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from numba import njit

from benchmarks.engine import clock, inputs
from benchmarks.s1 import bars


@njit(cache=True)
def passes(opened, close, pairs, cash, slippage, commission, minutes, told):  # type: ignore[no-untyped-def] # noqa: PLR0917 - numba takes no keywords
    """Write final equity, drawdown by bar and daily Sharpe ratio of each pair; return the number of fills."""
    fills = 0
    for k in range(len(pairs)):
        fills += one(opened, close, pairs[k, 0], pairs[k, 1], cash, slippage, commission, minutes, told[k])
    return fills


@njit(cache=True)
def one(opened, close, fast, slow, start, slippage, commission, minutes, told):  # type: ignore[no-untyped-def] # noqa: PLR0917
    cash, held, order, wanted, fills = start, 0.0, 0.0, False, 0
    short = long = 0.0
    peak, fall, before, mean, square, day, close_of_day = start, 0.0, start, 0.0, 0.0, 0, minutes - 1
    equity = start
    for t in range(slow - 1):
        long += close[t]
    for t in range(slow - fast, slow - 1):
        short += close[t]
    for t in range(slow - 1, len(close)):
        if order != 0.0:
            if order > 0.0:
                price = opened[t] * (1 + slippage)
                cost = order * price * (1 + commission)
                if cost > cash:
                    order *= cash / cost
                    cost = cash
                cash -= cost
            else:
                cash -= order * opened[t] * (1 - slippage) * (1 - commission)
            held += order
            order = 0.0
            fills += 1
        short += close[t]
        long += close[t]
        equity = cash + held * close[t]
        if (short * slow > long * fast) != wanted:
            wanted = not wanted
            order = equity / close[t] if wanted else -held
        short -= close[t - fast + 1]
        long -= close[t - slow + 1]
        if equity > peak:
            peak = equity
        elif peak - equity > fall * peak:
            fall = (peak - equity) / peak
        if t == close_of_day:
            gain = equity / before - 1
            mean += gain
            square += gain * gain
            before = equity
            day += 1
            close_of_day += minutes
    mean /= day
    told[0], told[1] = equity, -fall
    told[2] = mean / np.sqrt((square - day * mean * mean) / (day - 1)) * np.sqrt(252.0)
    return fills


def main() -> None:
    """Read what is asked as JSON (`hot`: rounds), answer as JSON (`clock.rounds`)."""
    asked = json.loads(sys.argv[1])
    data, pairs = inputs.load(1), inputs.pairs()
    costs = bars.CASH, bars.SLIPPAGE, bars.COMMISSION, bars.MINUTES
    told = np.empty((len(pairs), 3))

    def run() -> dict[str, Any]:
        fills = passes(data["open"][0], data["close"][0], pairs, *costs, told)
        return {"equity": float(told[:, 0].sum()), "fills": int(fills), "sharpe": float(told[:, 2].max())}

    clock.say(clock.rounds(run, int(asked.get("hot", 1))))


if __name__ == "__main__":
    main()
