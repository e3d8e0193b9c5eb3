"""No attack: what the patched ones must equal."""

from tapedeck import Strategy


class Honest(Strategy):
    fields = ("close",)

    def weights(self, bars):
        return (bars.close > 100.0) / bars.width
