# Risk weights, rebalanced monthly, as a free script: `main(run)`.
#
# /// backtest
# dataset = "equities-1d"
# symbols = ["AAPL", "IBM", "MSFT"]
# start = 2004-01-02
# end = 2012-12-31
# rebalance = "month"
# params = { window = 60 }
# ///
import numpy as np

from tapedeck import rolling_std

fields = ("close",)


def main(run):
    """Weigh each symbol by the inverse of its volatility, a month at a time: a free-form script."""
    bars = run.bars()
    returns = np.full(bars.shape, np.nan)
    returns[1:] = bars.close[1:] / bars.close[:-1] - 1
    inverse = 1 / rolling_std(returns, run.params["window"])
    weights = inverse / inverse.sum(axis=1, keepdims=True)
    run.log(f"{len(bars)} bars of {', '.join(run.symbols)}")
    run.submit(weights)
