"""An independent oracle of the crossover under the default semantics: plain Python, no import of tapedeck.

By the words of the design: decide at the close, fill at the next open, sells before buys, buys scaled to cash, splits
multiply shares, dividends pay the holders of the previous close, equity by the last known close. An order pays a
minimum once, half the spread on every share, and fills no more than a share of each bar's volume.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

Bar = tuple[float, ...] | None  # raw open and close, and volume where it matters; None where there was no trade
Action = tuple[str, date, float]  # symbol, session, ratio or amount


def crossover(
    rows: Sequence[tuple[date, Mapping[str, Bar]]],  # every bar in order, history first
    start: date,
    splits: Sequence[Action] = (),
    dividends: Sequence[Action] = (),
    *,
    fast: int = 20,
    slow: int = 100,
    cash: float = 1_000_000.0,
    slippage: float = 2e-4,
    commission: float = 5e-4,
    minimum: float = 0.0,
    half_spread: float = 0.0,
    cap: float = 1e300,
) -> tuple[float, int]:
    """Return final equity and the number of fills; the `slow` bars before `start` are history."""
    first = next(i for i, (session, _) in enumerate(rows) if session >= start)
    rows = rows[max(0, first - slow) :]
    symbols = list(rows[0][1])
    factor, held, close, target, order = (dict.fromkeys(symbols, v) for v in (1.0, 0.0, None, None, 0.0))
    fees: dict[str, list[float]] = {s: [] for s in symbols}  # of the order under way: what value x rate comes to
    history: dict[str, list[float | None]] = {s: [] for s in symbols}
    fills, last = 0, None
    for session, bars in rows:
        if session != last:
            for s, _, amount in (d for d in dividends if d[1] == session and d[0] in held):
                cash += held[s] * amount
            for s, _, ratio in (x for x in splits if x[1] == session and x[0] in held):
                held[s], order[s], factor[s] = held[s] * ratio, order[s] * ratio, factor[s] * ratio
                close[s] = close[s] and close[s] / ratio
        last = session
        trades = {s for s in symbols if bars[s] and (len(bars[s]) < 3 or bars[s][2] > 0)}
        most = {s: cap * bars[s][2] if len(bars[s]) > 2 else 1e300 for s in trades}

        def pay(s: str, shares: float, price: float) -> None:
            nonlocal cash, fills
            fees[s].append(abs(shares) * price * commission)
            paid = max(sum(fees[s]), minimum) - (max(sum(fees[s][:-1]), minimum) if fees[s][:-1] else 0.0)
            cash, held[s], fills = cash - shares * price - paid, held[s] + shares, fills + 1

        for s in [s for s in symbols if order[s] < 0 and s in trades]:
            sold = max(order[s], -most[s])
            pay(s, sold, bars[s][0] * (1 - slippage) - half_spread)
            order[s] -= sold
        buys = [s for s in symbols if order[s] > 0 and s in trades]
        asks = {s: bars[s][0] * (1 + slippage) + half_spread for s in buys}
        wish = {s: min(order[s], most[s]) for s in buys}
        cost = sum(wish[s] * asks[s] + max(wish[s] * asks[s] * commission, minimum) for s in buys)
        scale = 1.0 if cost <= cash or not buys else (cash - len(buys) * minimum) / cost
        for s in buys if scale > 1e-9 else []:
            pay(s, scale * wish[s], asks[s])
        unpaid = any(order[s] < 0 for s in symbols)  # a sale still waits: the rest of a buy that was cut does too
        order |= {s: order[s] - max(scale, 0.0) * wish[s] if scale == 1 or unpaid else 0.0 for s in buys}
        for s in symbols:
            close[s] = bars[s][1] if bars[s] else close[s]
            history[s].append(bars[s][1] * factor[s] if bars[s] else None)
        equity = cash + sum(held[s] * close[s] for s in symbols if held[s])
        if session >= start:
            for s in symbols:
                short, long = history[s][-fast:], history[s][-slow:]
                warm = len(long) == slow and None not in long
                weight = (1 / len(symbols)) if warm and sum(short) / fast > sum(long) / slow else 0.0
                if weight != target[s]:
                    target[s] = weight
                    order[s], fees[s] = weight * equity / close[s] - held[s] if weight else -held[s], []
    return equity, fills
