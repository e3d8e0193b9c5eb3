"""Planted leaks and clean strategies, bodies of `weights(self, bars)` or of `main(run)`, and data to run them on."""

from __future__ import annotations

from array import array
from datetime import date
from pathlib import Path

import numpy as np

from tapedeck.market import calendar as calendars
from tapedeck.market import encoding, layout, publish
from tapedeck.market.encoding import COLUMNS
from tapedeck.market.publish import Change
from tapedeck.market.store import FolderStore

XNYS = calendars.get("XNYS")
SYMBOLS = ("AAPL", "GOOG", "IBM", "MSFT")

WEIGHTS = """\
# /// backtest
# dataset = "{dataset}"
# symbols = ["AAPL", "IBM", "MSFT"]
# start = {start}
# end = {end}
# seed = 7
# ///
import random, time
import numpy as np
import pandas as pd
import tapedeck
from tapedeck import Strategy

class Mine(Strategy):
    fields = ("open", "close", "volume")
    seen = 0
    def lookback(self):
        return {lookback}
    def weights(self, bars):
        close = pd.DataFrame(bars.close, index=pd.DatetimeIndex(bars.time))
        session = bars.session
        {body}
"""
MAIN = """\
# /// backtest
# dataset = "equities-1d"
# symbols = ["AAPL", "IBM", "MSFT"]
# start = 2010-06-01
# end = 2011-12-30
# seed = 7
# ///
import numpy as np
import pandas as pd

fields = ("close",)

def main(run):
    bars = run.bars()
    close = pd.DataFrame(bars.close, index=pd.DatetimeIndex(bars.time))
    {body}
"""
DAILY = {"dataset": "equities-1d", "start": "2010-06-01", "end": "2011-12-30", "lookback": 30}
HOURLY = {"dataset": "equities-1h", "start": "2011-02-01", "end": "2011-04-29", "lookback": 35}

LEAKS = {
    "shift(-1)": "return close.shift(-1) > close",
    "np.roll(-1)": "return np.roll(bars.close, -1, axis=0) > bars.close",
    "full-sample z-score": "return (close - close.mean()) / close.std() / 10",
    "full-sample rank": "return close.rank(pct=True)",
    "min-max scaling": "return (close - close.min()) / (close.max() - close.min())",
    "centred rolling": "return close.rolling(5, center=True).mean() > close",
    "the week's close at the left label": (
        "return close > close.resample('W', label='left').last().reindex(close.index, method='ffill')"
    ),
    "the month's mean, the label at the right, filled backwards": (
        "return close > close.resample('ME').mean().reindex(close.index, method='bfill')"
    ),
    "bfill": "return close.bfill() > close.ffill().rolling(5, min_periods=1).mean()",
    "interpolation across gaps": "return close.interpolate(limit_area='inside').notna() / 3",
    "the chunk's last row": "return bars.close[-1] > bars.close",
    "the number of bars": "return np.full(bars.shape, len(bars) / 1000)",
    "the last bar of the month, by the next bar": (
        "month = bars.time.astype('datetime64[M]'); last = np.append(month[1:] != month[:-1], True);"
        " return np.where(last[:, None], 0.0, 0.3) + 0 * close"
    ),
    "central difference": "return np.gradient(bars.close, axis=0) > 0",
    "the future in what an instance remembers": (
        "self.seen = self.seen or bars.close[-1, 0]; return (bars.close > self.seen) / 3"
    ),
    "the best symbol of the chunk": (
        "best = np.nansum(np.diff(bars.close, axis=0), axis=0).argmax(); return (np.arange(3) == best) + 0 * close"
    ),
}
HOURLY_LEAKS = {
    "the day's close seen early": "return close.groupby(session).transform('last') > close",
    "the day's high seen early": "return close >= close.groupby(session).transform('max')",
    "daily bars at the left label": ("return close < close.resample('D').last().reindex(close.index, method='ffill')"),
    "two-hour bars at the left label": (
        "return close.resample('2h').last().reindex(close.index, method='ffill') > close"
    ),
}
MAIN_LEAKS = {
    "a scaler fitted on the future": (
        "scaled = (close - close.mean()) / close.std(); run.submit(scaled.clip(-1, 1).fillna(0) / 3)"
    ),
    "a threshold fitted on the future": "run.submit((close > close.quantile(0.7)) / 3)",
    "a model fitted on the future": (
        "y = close.pct_change().shift(-1).fillna(0); x = close.pct_change().fillna(0);"
        " slope = float((x * y).to_numpy().sum() / (x * x).to_numpy().sum()); run.submit((slope * x).clip(-1, 1) / 3)"
    ),
    "shift(-1), handed in by main": "run.submit((close.shift(-1) > close) / 3)",
    "orders of the whole run netted": "w = (close > 60) * 1.0; run.submit(w / w.to_numpy().sum())",
}
CLEAN = {
    "sma": "return (tapedeck.sma(bars.close, 5) > tapedeck.sma(bars.close, 20)) / 3",
    "ema": "return (tapedeck.ema(bars.close, 5) > tapedeck.ema(bars.close, 20)) / 3",
    "ema as a weight": "return tapedeck.ema(bars.close, 5) / 1000",
    "rsi": "return (tapedeck.rsi(bars.close, 14) < 40) / 3",
    "zscore": "return -tapedeck.zscore(bars.close, 20) / 30",
    "rolling extremes": (
        "high, low = tapedeck.rolling_max(bars.close, 20), tapedeck.rolling_min(bars.close, 20);"
        " return (bars.close >= high) / 3 - (bars.close <= low) / 3"
    ),
    "pandas rolling mean": "return (close.rolling(5).mean() > close.rolling(20).mean()) / 3",
    "pandas rolling std as a weight": (
        "returns = close.pct_change(fill_method=None);"
        " return 0.01 / returns.rolling(20, min_periods=2).std().clip(lower=0.001)"
    ),
    "pandas ewm": "return close.ewm(span=10).mean() / 1000",
    "pandas expanding z-score": "return (close - close.expanding().mean()) / close.expanding(2).std() / 30",
    "shift(1)": "return (close.shift(1) < close) / 3",
    "ffill": "return (close.ffill() > close.ffill().rolling(5, min_periods=1).mean()) / 3",
    "last week's close": ("return close > close.resample('W').last().shift(1).reindex(close.index, method='bfill')"),
    "the running mean of the month": (
        "means = close.groupby(bars.time.astype('datetime64[M]')).expanding().mean();"
        " return close > means.droplevel(0).sort_index()"
    ),
    "the first bar of the month": (
        "month = bars.time.astype('datetime64[M]'); first = np.append(True, month[1:] != month[:-1]);"
        " return np.where(first[:, None], 0.3, np.nan) + 0 * close"
    ),
    "rank across symbols": "return (close.rank(axis=1) == 3) * 1.0",
    "seeded random numbers": "return np.random.random(bars.shape) / 3 + random.random() * 0",
    "what an instance remembers": "self.seen += 1; return np.full(bars.shape, self.seen / 1000)",
    "nothing but NaN": "return np.full(bars.shape, np.nan)",
    "always in": "return np.full(bars.shape, 0.25)",
    "a matrix product": (
        "return np.nan_to_num(bars.close) @ np.array([[.1, .2, .3], [.3, .1, .7], [.9, .2, .1]]) / 1e4"
    ),
    "minus zero and zero": "return np.zeros(bars.shape) * (1 if len(bars) % 2 else -1)",
}
HOURLY_CLEAN = {
    "the day's open": "return (close > close.groupby(session).transform('first')) / 3",
    "the day's high so far": "return (close >= close.groupby(session).cummax()) / 3",
    "yesterday's close": ("last = close.groupby(session).last().shift(1); return close > last.loc[session].to_numpy()"),
    "two-hour bars, closed and labelled at the right": (
        "two = close.resample('2h', label='right', closed='right').last().shift(1);"
        " return close > two.reindex(close.index, method='ffill')"
    ),
}
MAIN_CLEAN = {
    "walk forward": (
        "w = close * 0.0\n"
        "    for t in range(60, len(bars), 20):\n"
        "        w.iloc[t:t + 20] = float(close.iloc[t - 60:t].mean().mean() > 50) / 3\n"
        "    run.submit(w)"
    ),
    "run-anchored": "run.submit((close > close.iloc[0]) / 3)",
    "a drawdown stop": "run.submit((close > 0.9 * close.cummax()) / 3)",
}


def publish_market(folder: Path, gaps: float = 0.04) -> None:
    """Publish two years of daily bars and four months of hourly ones of four symbols; `gaps`: bars without a trade."""
    store = FolderStore(folder)
    for name, first, last in (("1d", "2010-01-04", "2011-12-30"), ("1h", "2011-01-03", "2011-04-29")):
        sessions = XNYS.sessions(date.fromisoformat(first), date.fromisoformat(last))
        changes = {symbol: _change(name, sessions, seed, gaps) for seed, symbol in enumerate(SYMBOLS)}
        publish.publish(store, layout.parse_dataset(f"equities-{name}"), None, changes)


def _change(bar: str, sessions: list[date], seed: int, gaps: float) -> Change:
    rng = np.random.default_rng(seed)
    price = 60.0
    months: dict[str, dict[str, array[int]]] = {}
    for session in sessions:
        columns = months.setdefault(f"{session:%Y-%m}", {name: array("q") for name in COLUMNS})
        for ts in XNYS.starts(bar, session):
            price *= float(np.exp(rng.normal(0, 0.02)))
            if rng.random() < gaps:
                continue  # no trade
            opened, close = round(price * 100) + int(rng.integers(-20, 20)), round(price * 100)
            values = (ts, opened, max(opened, close), min(opened, close), close, int(rng.integers(1, 9999)))
            for column, value in zip(COLUMNS, values, strict=True):
                columns[column].append(value)
    return Change({name: encoding.month(c, dict.fromkeys(COLUMNS, 2)) for name, c in months.items()})
