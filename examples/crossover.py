# Moving-average crossover, vectorised: `weights(bars)`.
#
# /// backtest
# dataset = "equities-1d"
# symbols = ["AAPL", "IBM", "MSFT"]
# start = 2004-01-02
# end = 2012-12-31
# params = { fast = 20, slow = 100 }
# ///
from tapedeck import Strategy, sma


class Crossover(Strategy):
    """Hold a symbol while its fast average lies above its slow one, each with an equal part of the equity."""

    fast: int = 20
    slow: int = 100
    fields = ("close",)  # what the strategy reads; nothing else is shipped

    def lookback(self):  # bars of history that a decision needs
        return self.slow

    def weights(self, bars):  # arrays of shape (lookback + chunk bars, symbols)
        return (sma(bars.close, self.fast) > sma(bars.close, self.slow)) / bars.width
