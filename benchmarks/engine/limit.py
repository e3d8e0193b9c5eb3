"""The limits of S2: compiled passes that know the strategy, written for nothing else, on one core."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from numba import njit

from benchmarks.engine import clock, inputs
from benchmarks.s1 import bars


@njit(cache=True)
def crossover(opened, close, cash, equity):  # type: ignore[no-untyped-def]
    """Trade one sleeve by running sums; add its equity to the curve; return equity, fills, drawdown, Sharpe."""
    n, slow, fast = len(close), bars.SLOW, bars.FAST
    up, down, fee = 1 + bars.SLIPPAGE, 1 - bars.SLIPPAGE, bars.COMMISSION
    held, order, target, fills, short, long = 0.0, 0.0, 0.0, 0, 0.0, 0.0
    peak, fall, last, total, squares, days, day = cash, 0.0, cash, 0.0, 0.0, 0, bars.MINUTES - 1
    now = cash
    for t in range(n):
        if order > 0.0:
            price = opened[t] * up
            order *= min(1.0, cash / (order * price * (1 + fee)))
            cash -= order * price * (1 + fee)
            held += order
            fills += 1
        elif order < 0.0:
            cash -= order * opened[t] * down * (1 - fee)
            held += order
            fills += 1
        order = 0.0
        x = close[t]
        short += x
        long += x
        now = cash + held * x
        equity[t] += now
        if now > peak:
            peak = now
        elif peak - now > fall * peak:
            fall = (peak - now) / peak
        if t == day:
            change = now / last - 1
            total += change
            squares += change * change
            days += 1
            last = now
            day += bars.MINUTES
        if t >= slow - 1:
            want = 1.0 if short * (1.0 / fast) > long * (1.0 / slow) else 0.0
            if want != target:
                order = want * now / x - held
                target = want
            short -= close[t - fast + 1]
            long -= close[t - slow + 1]
        elif t >= fast - 1:
            short -= close[t - fast + 1]
    mean = total / days
    return now, fills, -fall, mean / np.sqrt((squares - days * mean * mean) / (days - 1)) * np.sqrt(252.0)


@njit(cache=True)
def fill(opened, close, want, cash, equity):  # type: ignore[no-untyped-def]
    """Trade one sleeve by signals that somebody made; add its equity to the curve; return equity and fills."""
    up, down, fee = 1 + bars.SLIPPAGE, 1 - bars.SLIPPAGE, bars.COMMISSION
    held, order, target, fills, now = 0.0, 0.0, False, 0, cash
    for t in range(len(close)):
        if order > 0.0:
            price = opened[t] * up
            order *= min(1.0, cash / (order * price * (1 + fee)))
            cash -= order * price * (1 + fee)
            held += order
            fills += 1
        elif order < 0.0:
            cash -= order * opened[t] * down * (1 - fee)
            held += order
            fills += 1
        order = 0.0
        now = cash + held * close[t]
        equity[t] += now
        if want[t] != target:
            order = now / close[t] - held if want[t] else -held
            target = want[t]
    return now, fills


@njit(cache=True)
def share(opened, close, want, equity):  # type: ignore[no-untyped-def]
    """Trade all symbols on one account by signals, bar by bar; return fills."""
    count, n = want.shape
    up, down, fee, cash, fills = 1 + bars.SLIPPAGE, 1 - bars.SLIPPAGE, bars.COMMISSION, bars.CASH, 0
    held, order, target = np.zeros(count), np.zeros(count), np.zeros(count, np.bool_)
    for t in range(n):
        cost = 0.0
        for i in range(count):
            if order[i] < 0.0:
                cash -= order[i] * opened[i, t] * down * (1 - fee)
                held[i] += order[i]
                fills += 1
            elif order[i] > 0.0:
                cost += order[i] * opened[i, t] * up * (1 + fee)
        scale = min(1.0, cash / cost) if cost > 0.0 else 1.0
        now = cash
        for i in range(count):
            if order[i] > 0.0:
                cash -= scale * order[i] * opened[i, t] * up * (1 + fee)
                held[i] += scale * order[i]
                fills += 1
            order[i] = 0.0
        now = cash
        for i in range(count):
            now += held[i] * close[i, t]
        equity[t] = now
        for i in range(count):
            if want[i, t] != target[i]:
                order[i] = now / count / close[i, t] - held[i] if want[i, t] else -held[i]
                target[i] = want[i, t]
    return fills


@njit(cache=True)
def signals(close, want):  # type: ignore[no-untyped-def]
    """Write into `want` where one symbol's fast average is above its slow one."""
    short = long = 0.0
    for t in range(len(close)):
        short += close[t] - (close[t - bars.FAST] if t >= bars.FAST else 0.0)
        long += close[t] - (close[t - bars.SLOW] if t >= bars.SLOW else 0.0)
        want[t] = t >= bars.SLOW - 1 and short / bars.FAST > long / bars.SLOW


@njit(cache=True)
def figures(equity, cash):  # type: ignore[no-untyped-def]
    """Return drawdown and daily Sharpe of a curve."""
    peak, fall, last, total, squares, days = cash, 0.0, cash, 0.0, 0.0, 0
    for t in range(len(equity)):
        peak = max(peak, equity[t])
        fall = min(fall, equity[t] / peak - 1)
        if t % bars.MINUTES == bars.MINUTES - 1:
            change = equity[t] / last - 1
            total += change
            squares += change * change
            days += 1
            last = equity[t]
    mean = total / days
    return fall, mean / np.sqrt((squares - days * mean * mean) / (days - 1)) * np.sqrt(252.0)


def by_numpy(close: np.ndarray) -> np.ndarray:
    """Return one symbol's signals as a researcher makes them out of running sums."""
    total = np.concatenate([[0.0], np.cumsum(close)])
    want = np.zeros(len(close), np.bool_)
    short, long = ((total[window:] - total[:-window]) / window for window in (bars.FAST, bars.SLOW))
    want[bars.SLOW - 1 :] = short[bars.SLOW - bars.FAST :] > long
    return want


def run(data: dict[str, np.ndarray], how: str) -> dict[str, Any]:
    """Return final equity, fills, drawdown and Sharpe of the whole."""
    opened, close = data["open"], data["close"]
    equity, cash, fills = np.zeros(close.shape[1]), bars.CASH / len(close), 0
    if how == "shared":
        want = np.empty(close.shape, np.bool_)
        for i in range(len(close)):
            signals(close[i], want[i])
        fills = share(opened, close, want, equity)
    for i in range(len(close) if how != "shared" else 0):
        if how == "numpy":
            fills += fill(opened[i], close[i], by_numpy(close[i]), cash, equity)[1]
        else:
            fills += crossover(opened[i], close[i], cash, equity)[1]
    fall, sharpe = figures(equity, bars.CASH)
    return {"equity": float(equity[-1]), "fills": int(fills), "max_drawdown": fall, "sharpe": sharpe}


def main() -> None:
    """Read what is asked as JSON: `workload`, `how` (sleeves, shared, numpy), `hot`; answer as `clock.rounds` does."""
    asked = json.loads(sys.argv[1])
    data = inputs.load(inputs.symbols_of(asked["workload"]))
    few = {name: np.ascontiguousarray(values[:1, :2000]) for name, values in data.items() if values.ndim == 2}
    run(few, asked["how"])  # compiled before anything is measured
    clock.say(clock.rounds(lambda: run(data, asked["how"]), int(asked.get("hot", 5))))


if __name__ == "__main__":
    main()
