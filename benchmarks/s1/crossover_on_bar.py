from tapedeck import Strategy


class Crossover(Strategy):
    fast: int = 20
    slow: int = 100

    def __init__(self):
        self.closes = []
        self.short = self.long = self.target = 0.0

    def on_bar(self, bar, book):
        close, closes = bar["A"].close, self.closes
        at = len(closes)
        closes.append(close)
        self.short += close - (closes[at - self.fast] if at >= self.fast else 0.0)
        self.long += close - (closes[at - self.slow] if at >= self.slow else 0.0)
        want = 1.0 if at >= self.slow - 1 and self.short / self.fast > self.long / self.slow else 0.0
        if want != self.target:
            self.target = want
            book.target_weight("A", want)
