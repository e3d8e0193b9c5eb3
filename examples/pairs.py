# Pairs trading, long and short: `on_bar(bar, book)`.
#
# /// backtest
# dataset = "equities-1d"
# symbols = ["IBM", "MSFT"]
# start = 2004-01-02
# end = 2012-12-31
# params = { window = 60, enter = 2.0, leave = 0.5, part = 0.4 }
# ///
import numpy as np

from tapedeck import Strategy


class Pairs(Strategy):
    """Two symbols that move together: when their ratio strays, sell what is dear, buy what is cheap, and wait."""

    window: int = 60
    enter: float = 2.0  # standard deviations of the ratio's logarithm
    leave: float = 0.5
    part: float = 0.4  # of the equity in either leg

    def lookback(self):
        return self.window

    def on_bar(self, bar, book):
        first, second = bar.symbols
        if first not in bar or second not in bar:
            return
        closes = bar.history(self.window + 1)  # adjusted for splits: (bars, symbols)
        if len(closes) <= self.window or np.isnan(closes).any():
            return
        spread = np.log(closes[:, 0] / closes[:, 1])
        away = (spread[-1] - spread[:-1].mean()) / spread[:-1].std()
        if book.positions:
            if abs(away) < self.leave:
                book.close(first)
                book.close(second)
        elif abs(away) > self.enter and not book.orders:
            side = -1.0 if away > 0 else 1.0
            book.target_weight(first, side * self.part)
            book.target_weight(second, -side * self.part)
