# Mean reversion with limit orders and a protective stop: `on_bar(bar, book)`.
#
# /// backtest
# dataset = "equities-1d"
# symbols = ["AAPL", "IBM", "MSFT"]
# start = 2004-01-02
# end = 2012-12-31
# params = { window = 20, below = 0.03, loss = 0.08 }
# ///
import numpy as np

from tapedeck import Strategy


class MeanReversion(Strategy):
    """Bid a little below the average; once bought, offer at the average, with a stop below as the alternative."""

    window: int = 20
    below: float = 0.03  # how far below the average it bids
    loss: float = 0.08  # how far below the close after it bought it gives up

    def __init__(self):
        self.exits = {}  # symbol -> ids of the two orders that would close the position

    def lookback(self):
        return self.window

    def on_bar(self, bar, book):
        for symbol, quote in bar.items():
            closes = bar.history(self.window, symbol)
            if len(closes) < self.window or np.isnan(closes).any():
                continue
            average = float(closes.mean()) * quote.close / quote.signal  # orders are in raw prices
            held = book.position(symbol)
            if not held:
                self.exits.pop(symbol, None)
                bid = average * (1 - self.below)
                book.buy(symbol, book.equity / len(bar.symbols) / bid, limit=bid, tif="DAY")  # a new bid every day
            elif symbol not in self.exits:
                stop = quote.close * (1 - self.loss)
                offer = book.sell(symbol, held, limit=average)
                self.exits[symbol] = offer, book.sell(symbol, held, stop=stop, instead_of=offer)
