"""The peer for S1: backtesting.py 0.6.6, whole units, the spread charged once, at entry."""

from __future__ import annotations

import warnings

import pandas as pd
from backtesting import Backtest, Strategy, backtesting

from benchmarks.clock import report, timed
from benchmarks.s1 import bars

warnings.filterwarnings("ignore")
backtesting._tqdm = lambda it, **_: it


class Crossover(Strategy):
    def init(self) -> None:
        self.fast = self.I(lambda a: pd.Series(a).rolling(bars.FAST).mean().to_numpy(), self.data.Close)
        self.slow = self.I(lambda a: pd.Series(a).rolling(bars.SLOW).mean().to_numpy(), self.data.Close)

    def next(self) -> None:
        wanted = self.fast[-1] > self.slow[-1]
        if wanted and not self.position:
            self.buy(size=0.9999)
        elif not wanted and self.position:
            self.position.close()


def main() -> None:
    """Print one measurement: the second of two runs."""
    data = bars.make()
    columns = {name.capitalize(): data[name] for name in ("open", "high", "low", "close", "volume")}
    frame = pd.DataFrame(columns, index=pd.to_datetime(data["ts"], unit="us"))

    def run() -> tuple[float, int]:
        test = Backtest(frame, Crossover, cash=bars.CASH, commission=bars.COMMISSION, spread=2 * bars.SLIPPAGE)
        stats = test.run()
        return float(stats["Equity Final [$]"]), 2 * len(stats["_trades"])

    run()
    report(*timed(run))


main()
