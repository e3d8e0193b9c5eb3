# /// backtest
# accounts = "sleeves"
# ///
from tapedeck import Strategy, sma


class Crossover(Strategy):
    fast: int = 20
    slow: int = 100
    fields = ("close",)

    def lookback(self):
        return self.slow

    def weights(self, bars):
        return sma(bars.close, self.fast) > sma(bars.close, self.slow)
