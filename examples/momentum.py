# Cross-sectional momentum, vectorised: `weights(bars)`.
#
# /// backtest
# dataset = "equities-1d"
# symbols = ["AAPL", "GOOG", "IBM", "MSFT"]
# start = 2005-01-03
# end = 2012-12-31
# params = { window = 126, hold = 2 }
# ///
import numpy as np

from tapedeck import Strategy


class Momentum(Strategy):
    """From the first bar of each month on, hold the symbols that rose most over the window, in equal parts."""

    window: int = 126
    hold: int = 2
    fields = ("close",)

    def lookback(self):
        return self.window

    def weights(self, bars):
        rise = np.full(bars.shape, np.nan)
        rise[self.window :] = bars.close[self.window :] / bars.close[: -self.window] - 1
        rank = (-rise).argsort(axis=1).argsort(axis=1)  # 0 rose most; NaN comes last
        weights = np.where((rank < self.hold) & ~np.isnan(rise), 1 / self.hold, 0.0)
        month = bars.session.astype("datetime64[D]").astype("datetime64[M]")
        weights[1:][month[1:] == month[:-1]] = np.nan  # within a month: leave the positions alone
        return weights
