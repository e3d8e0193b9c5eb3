"""backtrader 1.9.78 on S1: fractional shares, the order for the next bar's open, slippage on the open."""

from __future__ import annotations

import json
import sys
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from benchmarks.engine import clock, inputs
from benchmarks.s1 import bars


class Crossover(bt.Strategy):
    """Hold a weight of equity while fast > slow; `at_fill`: sized by the open at which it fills, else by the close."""

    params = (("at_fill", False),)

    def __init__(self) -> None:
        close = self.data.close
        self.fast, self.slow = (bt.indicators.SMA(close, period=window) for window in (bars.FAST, bars.SLOW))
        self.held = self.wanted = self.waits = False
        self.fills = 0

    def notify_order(self, order: Any) -> None:
        self.fills += order.status == order.Completed

    def next_open(self) -> None:  # with cheat_on_open: before the broker fills at this bar's open
        if self.p.at_fill and self.waits:
            self.trade(self.data.open[0])

    def next(self) -> None:
        self.wanted = self.fast[0] > self.slow[0]
        self.waits = self.wanted != self.held
        if self.waits and not self.p.at_fill:
            self.trade(self.data.close[0])

    def trade(self, price: float) -> None:
        self.held, self.waits = self.wanted, False
        if self.wanted:
            self.buy(size=inputs.WEIGHT * self.broker.getcash() / price)
        else:
            self.close()


def main() -> None:
    """Read what is asked as JSON (`how`: "fill" or "decision"), answer as JSON (`clock.rounds`)."""
    asked = json.loads(sys.argv[1])
    data = inputs.load(1)
    prices = {name: data[name][0] for name in inputs.FIELDS}
    high, low = (np.array(pick(*prices.values())) for pick in (np.maximum, np.minimum))
    columns = {**prices, "high": high, "low": low, "volume": np.ones(len(high))}
    frame = pd.DataFrame(columns, index=pd.to_datetime(data["ts"], unit="us"))

    def run() -> dict[str, Any]:
        fill = asked["how"] == "fill"
        cerebro = bt.Cerebro(stdstats=False, cheat_on_open=fill)
        cerebro.broker.setcash(bars.CASH)
        cerebro.broker.setcommission(commission=bars.COMMISSION)
        cerebro.broker.set_slippage_perc(bars.SLIPPAGE, slip_open=True, slip_match=True, slip_out=True)
        cerebro.broker.set_coo(fill)
        cerebro.adddata(bt.feeds.PandasData(dataname=frame))
        cerebro.addstrategy(Crossover, at_fill=fill)
        made = cerebro.run()[0]
        return {"equity": cerebro.broker.getvalue(), "fills": made.fills}

    clock.say({**clock.rounds(run, int(asked.get("hot", 0))), "version": bt.__version__})


if __name__ == "__main__":
    main()
