"""vectorbt 1.2 on S1, S2 and S3; next-open fills by signals shifted by one bar and `price=open`."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt

from benchmarks.engine import clock, inputs
from benchmarks.s1 import bars

COSTS = {"fees": bars.COMMISSION, "slippage": bars.SLIPPAGE, "freq": "1min"}
AT_A_TIME = 100  # pairs of S3 in one call: all at once take 20 GB
Frames = tuple[Any, Any]  # close and open as pandas objects, a column for each symbol


def main() -> None:
    """Read what is asked as JSON, answer as JSON (`clock.rounds`): `equity` at the end, `fills`.

    `workload`: S1, S2, S3. `engine`: numba or rust. `how`: "signals" (percent of a sleeve's cash), "fill" or "decision"
    (target percent of equity, valued at the fill's open or at the close before). `accounts`: "sleeves" or "one"
    (`cash_sharing`). `figures`: drawdown and Sharpe as well. `curve`: digest and last values of equity as well.
    `decisions`: a file to write what is wanted to, bool (bars, symbols).
    """
    asked = json.loads(sys.argv[1])
    vbt.settings["engine"] = asked["engine"]
    vbt.settings["caching"]["enabled"] = False  # each round is to compute
    data = inputs.load(inputs.symbols_of(asked["workload"]))
    times = pd.to_datetime(data["ts"], unit="us")
    close, opened = (pd.DataFrame(np.ascontiguousarray(data[name].T), index=times) for name in ("close", "open"))
    frames = (close, opened) if asked["workload"] == "S2" else (close[0], opened[0])
    del data

    def run() -> dict[str, Any]:
        made = sweep(frames) if asked["workload"] == "S3" else once(frames, asked)
        return made if asked["workload"] == "S3" else answer(made, asked)

    clock.say({**clock.rounds(run, int(asked.get("hot", 1))), "version": vbt.__version__})


def once(frames: Frames, asked: dict[str, Any]) -> Any:
    """Return the portfolio of one crossover a symbol."""
    close = frames[0]
    fast, slow = (vbt.MA.run(close, window).ma.to_numpy() for window in (bars.FAST, bars.SLOW))
    how = asked.get("how", "signals")
    if how == "signals":
        cash = bars.CASH / (close.shape[1] if close.ndim > 1 else 1)
        return by_signals(frames, fast, slow, float(asked.get("size", inputs.WEIGHT)), cash)
    if "decisions" in asked:
        np.save(asked["decisions"], fast > slow)
    return by_targets(frames, fast > slow, asked)


def by_signals(frames: Frames, fast: np.ndarray, slow: np.ndarray, size: float, cash: float) -> Any:
    """Return a portfolio that puts `size` of a sleeve's cash, costs included, into the symbol while fast > slow."""
    close, opened = frames
    entries, exits = _next_bar(fast > slow), _next_bar(fast < slow)
    how: dict[str, Any] = {"size": size, "size_type": "percent", "accumulate": False, "init_cash": cash}
    return vbt.Portfolio.from_signals(close, entries, exits, price=opened, **how, **COSTS)


def by_targets(frames: Frames, want: np.ndarray, asked: dict[str, Any]) -> Any:
    """Return a portfolio that trades a target weight of equity when it changes, at the next open."""
    close, opened = frames
    one, width = asked.get("accounts") == "one", close.shape[1] if close.ndim > 1 else 1
    target = want * (inputs.WEIGHT / (width if one else 1))
    known = np.concatenate([np.full_like(target[:1], np.nan), target[:-1]])
    size = np.full(target.shape, np.nan)
    size[1:] = np.where(target != known, target, np.nan)[:-1]
    values = opened
    if asked["how"] == "decision":
        values = close.shift(1).bfill()
    account = {"group_by": True, "cash_sharing": True, "call_seq": "auto"} if one else {}
    cash = bars.CASH / (1 if one else width)
    valued = {"price": opened, "val_price": values, "init_cash": cash}
    return vbt.Portfolio.from_orders(close, size=size, size_type="targetpercent", **valued, **account, **COSTS)


def sweep(frames: Frames) -> dict[str, Any]:
    """Return S3: final equity and fills over all pairs, no figures a pair; each average made once a call."""
    finals, fills, pairs = [], 0, inputs.pairs()
    for first in range(0, len(pairs), AT_A_TIME):
        fast, slow = (
            vbt.MA.run(frames[0], part.tolist(), run_unique=True).ma.to_numpy()
            for part in pairs[first : first + AT_A_TIME].T
        )
        made = by_signals(frames, fast, slow, inputs.WEIGHT, bars.CASH)
        finals.append(np.asarray(made.final_value()))
        fills += int(np.sum(made.orders.count()))
    return {"equity": float(np.concatenate(finals).sum()), "fills": fills}


def answer(made: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """Return a portfolio's figures."""
    total: Callable[[Any], float] = lambda values: float(np.sum(np.asarray(values)))  # noqa: E731 - two words, used twice
    said: dict[str, Any] = {"equity": total(made.final_value()), "fills": int(total(made.orders.count()))}
    if asked.get("figures"):
        said["max_drawdown"] = float(np.min(np.asarray(made.max_drawdown())))
        said["sharpe"] = float(np.max(np.asarray(made.sharpe_ratio())))
    if asked.get("curve"):
        curve = np.ascontiguousarray(np.asarray(made.value()).reshape(len(made.wrapper.index), -1).sum(axis=1))
        said["curve_sha256"] = hashlib.sha256(curve.astype("<f8").tobytes()).hexdigest()
        said["sessions"] = curve[bars.MINUTES - 1 :: bars.MINUTES].tolist()
    return said


def _next_bar(signal: np.ndarray) -> np.ndarray:
    shifted = np.zeros_like(signal)
    shifted[1:] = signal[:-1]
    return shifted


if __name__ == "__main__":
    main()
