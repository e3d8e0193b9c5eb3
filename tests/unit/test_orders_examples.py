"""The examples that decide bar by bar, each against a small oracle in plain Python that knows this strategy only."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tapedeck import source, strategy
from tapedeck.bars import Bars
from tapedeck.cli import main
from tapedeck.engine import EngineSettings, order_state
from tapedeck.engine.state import actions
from tapedeck.on_bar import Player
from tapedeck.submission import inspect_source, resolve_parameters
from tests.unit.small_bars import FIRST, Block, Split, day

EXAMPLES = Path(__file__).parents[2] / "examples"
ROWS, SPLIT_ROW = 700, 350
SLIP, FEE = 2e-4, 5e-4


def market(seed: int, symbols: list[str]) -> tuple[Block, Bars, list[Split]]:
    """Prices that revert to a common path; the first symbol splits two for one."""
    rng = np.random.default_rng(seed)
    common = np.cumsum(rng.normal(0, 0.01, ROWS))
    own = np.zeros((ROWS, len(symbols)))
    for row in range(1, ROWS):
        own[row] = 0.9 * own[row - 1] + rng.normal(0, 0.02, len(symbols))
    close = 50 * np.exp(common[:, None] + own)
    opened = close * np.exp(rng.normal(0, 0.005, close.shape))
    high = np.maximum(opened, close) * (1 + rng.random(close.shape) * 0.01)
    low = np.minimum(opened, close) * (1 - rng.random(close.shape) * 0.01)
    signal = {"open": opened, "high": high, "low": low, "close": close}
    raw = {name: values.copy() for name, values in signal.items()}
    for values in raw.values():
        values[SPLIT_ROW:, 0] /= 2
    volume = {"volume": np.full(close.shape, 1000.0)}
    session = (FIRST + np.arange(ROWS)).astype(np.int32)
    ts = session.astype(np.int64) * 86_400_000_000
    bars = Bars(symbols=symbols, ts=ts, session=session, fields=signal | volume, raw=raw | volume)
    return Block(tuple(symbols), ts, session, raw | volume), bars, [Split(symbols[0], day(SPLIT_ROW), 2.0)]


def run(name: str, block: Block, bars: Bars, splits: list[Split]) -> tuple[float, int, Any]:
    path = EXAMPLES / name
    found = inspect_source(name, path.read_bytes())
    assert found.level == "on_bar"
    loaded: Any = source.load(path, name, found.kind, found.class_name)
    made: Any = strategy.create(loaded, resolve_parameters(found, {}))
    state = order_state.new(block.symbols, EngineSettings())
    played = Player(state, made.lookback(), made.on_bar).play(block, actions(block.symbols, splits, []), bars)
    return float(played.step.equity[-1]), len(played.step.fills), played.step.fills


@dataclass
class Account:
    """Cash and shares of an oracle, with the costs of the default settings."""

    cash: float = 1_000_000.0
    held: list[float] = field(default_factory=lambda: [0.0] * 3)
    fills: int = 0

    def sell(self, i: int, shares: float, price: float) -> None:
        self.cash, self.held[i], self.fills = (
            self.cash + shares * price * (1 - FEE),
            self.held[i] - shares,
            self.fills + 1,
        )

    def buy(self, i: int, shares: float, price: float) -> None:
        shares = min(shares, self.cash / (price * (1 + FEE)))
        self.cash, self.held[i], self.fills = (
            self.cash - shares * price * (1 + FEE),
            self.held[i] + shares,
            self.fills + 1,
        )

    def equity(self, closes: list[float]) -> float:
        return self.cash + sum(shares * close for shares, close in zip(self.held, closes, strict=False))


def pairs(raw: dict[str, Any], signal: Any) -> tuple[float, int]:
    account, orders, history = Account(), [0.0, 0.0], list[float]()
    for row in range(ROWS):
        if row == SPLIT_ROW:
            account.held[0], orders[0] = account.held[0] * 2, orders[0] * 2
        opens = raw["open"][row].tolist()
        for i in (0, 1):
            if orders[i] < 0:
                account.sell(i, -orders[i], opens[i] * (1 - SLIP))
        for i in (0, 1):
            if orders[i] > 0:
                account.buy(i, orders[i], opens[i] * (1 + SLIP))
        orders = [0.0, 0.0]
        closes = raw["close"][row].tolist()
        history.append(math.log(signal[row, 0]) - math.log(signal[row, 1]))
        if len(history) <= 60:
            continue
        past = history[-61:-1]
        mean = sum(past) / 60
        away = (history[-1] - mean) / math.sqrt(sum((x - mean) ** 2 for x in past) / 60)
        if account.held[0] or account.held[1]:
            if abs(away) < 0.5:
                orders = [-account.held[0], -account.held[1]]
        elif abs(away) > 2.0:
            value = account.equity(closes) * 0.4 * (1 if away < 0 else -1)
            orders = [value / closes[0], -value / closes[1]]
    return account.equity(closes), account.fills


def mean_reversion(raw: dict[str, Any], signal: Any) -> tuple[float, int]:  # noqa: PLR0912 - one story, read downwards
    account, width = Account(), 3
    bids: list[tuple[float, float] | None] = [None] * width  # price, shares
    exits: list[tuple[float, float, float] | None] = [None] * width  # offer, stop, shares
    for row in range(ROWS):
        if row == SPLIT_ROW:
            account.held[0] *= 2
            if (bid := bids[0]) is not None:
                bids[0] = bid[0] / 2, bid[1] * 2
            if (leave := exits[0]) is not None:
                exits[0] = leave[0] / 2, leave[1] / 2, leave[2] * 2
        opens, highs, lows, closes = (raw[name][row].tolist() for name in ("open", "high", "low", "close"))
        for at in (1, 0):  # all stops first, then all offers
            for i in range(width):
                if (leave := exits[i]) is None:
                    continue
                if at == 1 and lows[i] <= leave[1]:
                    account.sell(i, leave[2], min(opens[i], leave[1]) * (1 - SLIP))
                    exits[i] = None
                elif at == 0 and highs[i] >= leave[0]:
                    account.sell(i, leave[2], max(opens[i], leave[0]))
                    exits[i] = None
        for i in range(width):
            if (bid := bids[i]) is not None and lows[i] <= bid[0] and account.cash > 0.001:
                account.buy(i, bid[1], min(opens[i], bid[0]))
        bids = [None] * width
        if row < 19:
            continue
        for i in range(width):
            average = float(np.mean(signal[row - 19 : row + 1, i])) * closes[i] / signal[row, i]
            if not account.held[i]:
                bids[i] = average * 0.97, account.equity(closes) / width / (average * 0.97)
            elif exits[i] is None:
                exits[i] = average, closes[i] * 0.92, account.held[i]
    return account.equity(closes), account.fills


@pytest.mark.parametrize("seed", range(4))
def test_pairs_trading_agrees_with_its_oracle(seed: int) -> None:
    block, bars, splits = market(seed, ["IBM", "MSFT"])
    equity, count, fills = run("pairs.py", block, bars, splits)
    assert (pytest.approx(equity, rel=1e-9), count) == pairs(block.fields, bars.close)
    assert count > 20
    held = np.cumsum(np.where(fills.symbol == 1, fills.quantity, 0.0))
    assert held.min() < 0 < held.max()  # it is short and long in turn


@pytest.mark.parametrize("seed", range(4))
def test_mean_reversion_by_limit_orders_agrees_with_its_oracle(seed: int) -> None:
    block, bars, splits = market(seed, ["AAPL", "IBM", "MSFT"])
    equity, count, fills = run("mean_reversion.py", block, bars, splits)
    assert (pytest.approx(equity, rel=1e-9), count) == mean_reversion(block.fields, bars.close)
    assert count > 40
    assert (fills.slippage > 0).any()  # some were stopped out


def test_a_check_says_that_there_is_nothing_to_audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(EXAMPLES / "pairs.py"), "--data", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("pairs.py: by_construction: ")
