"""An independent oracle of the crossover under the default semantics: plain Python, no import of tapedeck.

By the words of the design: decide at the close, fill at the next open, sells before buys, buys scaled to cash, splits
multiply shares, dividends pay the holders of the previous close, equity by the last known close.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

Bar = tuple[float, float] | None  # raw open and close; None where the symbol did not trade
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
) -> tuple[float, int]:
    """Return final equity and the number of fills; the `slow` bars before `start` are history."""
    first = next(i for i, (session, _) in enumerate(rows) if session >= start)
    rows = rows[max(0, first - slow) :]
    symbols = list(rows[0][1])
    factor, held, close, target, order = (dict.fromkeys(symbols, v) for v in (1.0, 0.0, None, None, 0.0))
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
        for s in [s for s in symbols if order[s] < 0 and bars[s]]:
            cash, held[s] = cash - order[s] * bars[s][0] * (1 - slippage) * (1 - commission), held[s] + order[s]
            order[s], fills = 0.0, fills + 1
        buys = [s for s in symbols if order[s] > 0 and bars[s]]
        cost = sum(order[s] * bars[s][0] * (1 + slippage) * (1 + commission) for s in buys)
        scale = min(1.0, cash / cost) if buys else 1.0
        for s in buys if scale > 1e-9 else []:
            cash, held[s] = (
                cash - scale * order[s] * bars[s][0] * (1 + slippage) * (1 + commission),
                held[s] + scale * order[s],
            )
            fills += 1
        unpaid = scale < 1 and any(order[s] < 0 for s in symbols)  # a sale still waits: the rest of the buy does too
        order |= {s: (1 - max(scale, 0.0)) * order[s] if unpaid else 0.0 for s in buys}
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
                    order[s] = weight * equity / close[s] - held[s] if weight else -held[s]
    return equity, fills
