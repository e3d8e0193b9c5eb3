"""The limit for S1: a compiled single pass that knows the strategy, with equity curve."""

from __future__ import annotations

import numpy as np
from numba import njit

from benchmarks.clock import report, timed
from benchmarks.s1 import bars


@njit(cache=True)
def single_pass(opened, close, fast, slow, cash, slippage, commission):  # type: ignore[no-untyped-def] # noqa: PLR0917 - numba takes no keywords
    """Return the equity curve and the number of fills."""
    n = len(close)
    equity = np.empty(n)
    held, order, target, fills = 0.0, 0.0, 0.0, 0
    short = long = 0.0
    for t in range(n):
        if order != 0.0:
            price = opened[t] * (1 + slippage) if order > 0 else opened[t] * (1 - slippage)
            if order > 0:
                order *= min(1.0, cash / (order * price * (1 + commission)))
            cash -= order * price + abs(order) * price * commission
            held += order
            order = 0.0
            fills += 1
        short += close[t] - (close[t - fast] if t >= fast else 0.0)
        long += close[t] - (close[t - slow] if t >= slow else 0.0)
        equity[t] = cash + held * close[t]
        want = 1.0 if t >= slow - 1 and short / fast > long / slow else 0.0
        if want != target:
            target = want
            order = want * equity[t] / close[t] - held
    return equity, fills


def main() -> None:
    """Print one measurement: the second of two runs."""
    data = bars.make()

    def run() -> tuple[float, int]:
        equity, fills = single_pass(
            data["open"], data["close"], bars.FAST, bars.SLOW, bars.CASH, bars.SLIPPAGE, bars.COMMISSION
        )
        return float(equity[-1]), int(fills)

    run()
    report(*timed(run))


main()
