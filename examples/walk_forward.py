# A walk-forward with scikit-learn: fit on the past, decide on the next weeks, fit again. `main(run)`, free form.
#
# /// backtest
# dataset = "equities-1d"
# symbols = ["AAPL", "IBM", "MSFT"]
# start = 2004-01-02
# end = 2012-12-31
# params = { first = 120, every = 20, hold = 1 }
# ///
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tapedeck import rolling_std, rsi, sma

fields = ("close",)


def main(run):
    """Hold the symbols whose next day a linear model expects to be best, in equal parts; nothing below zero."""
    close = run.bars().close
    change = np.full(close.shape, np.nan)
    change[1:] = close[1:] / close[:-1] - 1
    signals = [change, close / sma(close, 20) - 1, close / sma(close, 5) - 1, rolling_std(change, 20), rsi(close, 14)]
    known = np.stack(signals, axis=-1)  # (bars, symbols, signals): what is known at each close
    next_change = np.full(close.shape, np.nan)
    next_change[:-1] = change[1:]  # what is to be told; of the last bar it is not known

    first, every = run.params["first"], run.params["every"]
    expected = np.full(close.shape, np.nan)
    for today in range(first, len(close), every):
        model = fit(known[:today], next_change[: today - 1])  # yesterday's next change is the last one known today
        ahead = known[today : today + every]
        rows, columns = np.nonzero(~np.isnan(ahead).any(axis=-1))
        if model and len(rows):
            expected[today + rows, columns] = model.predict(ahead[rows, columns])

    rank = (-expected).argsort(axis=1).argsort(axis=1)  # 0 is expected to rise most; NaN comes last
    hold = run.params["hold"]
    run.submit(np.where((rank < hold) & (expected > 0), 1 / hold, 0.0))


def fit(known, told):
    """Return a model of all bars and symbols whose next change is known, None while there are too few."""
    signals = known[: len(told)]
    whole = ~np.isnan(told) & ~np.isnan(signals).any(axis=-1)
    if whole.sum() < 100:
        return None
    return make_pipeline(StandardScaler(), Ridge(alpha=10.0)).fit(signals[whole], told[whole])
