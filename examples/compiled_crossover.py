# Moving-average crossover bar by bar, compiled by Numba, for long runs on minute bars: `@jit`.
#
# /// backtest
# dataset = "equities-1d"
# symbols = ["AAPL", "IBM", "MSFT"]
# start = 2004-01-02
# end = 2012-12-31
# params = { fast = 20, slow = 100 }
# ///
import numpy as np

from tapedeck import Strategy, jit


class CompiledCrossover(Strategy):
    """Hold a symbol while its fast average lies above its slow one, each with an equal part of the equity."""

    fast: int = 20
    slow: int = 100

    def __init__(self):  # what on_bar remembers: numbers and arrays
        self.target = np.zeros(64)  # by column

    def lookback(self):
        return self.slow

    @jit
    def on_bar(self, bar, book):
        if len(bar.history) < self.slow:
            return
        width = len(bar.close)
        for column in range(width):
            fast = slow = 0.0
            for back in range(1, self.slow + 1):
                slow += bar.history[-back, column]
                if back <= self.fast:
                    fast += bar.history[-back, column]
            target = 1.0 / width if fast / self.fast > slow / self.slow else 0.0
            if target != self.target[column] and not np.isnan(bar.close[column]):
                self.target[column] = target
                book.target_weight(column, target)
