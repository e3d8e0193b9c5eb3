# /// backtest
# accounts = "sleeves"
# ///
import numpy as np

from tapedeck import Strategy


def mean(values, window):
    total = np.cumsum(values, axis=0)
    total[window:] -= total[:-window].copy()
    total[: window - 1] = np.nan
    return total / window


class Crossover(Strategy):
    fast: int = 20
    slow: int = 100
    fields = ("close",)

    def lookback(self):
        return self.slow

    def weights(self, bars):
        return (mean(bars.close, self.fast) > mean(bars.close, self.slow)) * 1.0
