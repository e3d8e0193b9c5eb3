"""A strategy by dice, written for `Book` and again for a compiled `on_bar`; `python -m tests.unit.dice` compiles it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from tapedeck import Bar, Bars, Book, Strategy, jit
from tapedeck.engine import EngineSettings, order_state
from tapedeck.engine.state import SPLIT, actions
from tapedeck.on_bar import Played, Player

ROWS, LOOKBACK = 600, 7


class ByBook(Strategy):
    seed: int = 1

    def __init__(self, **params: int) -> None:
        super().__init__(**params)
        self.dice, self.last, self.seen = self.seed, 0, 0.0

    def roll(self, sides: int) -> int:
        self.dice = (self.dice * 1_103_515_245 + 12_345) % 2_147_483_648
        return (self.dice >> 8) % sides

    def on_bar(self, bar: Bar, book: Book) -> None:
        oldest = bar.history(LOOKBACK + 1)[0, 0]
        self.seen += book.cash / 1e6 + book.equity / 1e6 + (0.0 if math.isnan(oldest) else oldest)
        for symbol in bar.symbols:
            kind, part, spread = self.roll(24), self.roll(100) / 100, self.roll(100) / 1000
            if symbol not in bar:
                continue
            price, shares = bar[symbol].close, 1.0 + part * 100
            waiting = sum(order.symbol == symbol for order in book.orders.values())
            if kind == 0:
                self.last = book.buy(symbol, shares)
            elif kind == 1 and book.position(symbol) > 0:
                self.last = book.sell(symbol, shares, limit=price * (1 + spread), tif="DAY")
            elif kind == 2 and waiting < 3:
                self.last = book.buy(symbol, shares, limit=price * (1 - spread))
                book.buy(symbol, shares, stop=price * (1 + spread), instead_of=self.last)
            elif kind == 3:
                self.last = book.sell(symbol, shares, stop=price * (1 - spread), limit=price * (1 - 2 * spread))
            elif kind == 4:
                self.last = book.target_weight(
                    symbol, part / 2 + self.seen % 1.0 * 1e-9
                )  # a last bit that differs spreads
            elif kind == 5:
                self.last = book.target_shares(symbol, math.floor(part * 50))
            elif kind == 6:
                book.close(symbol)
            elif kind == 7 and self.last > 0:
                book.cancel(self.last)
            elif kind == 8:
                book.cancel_all(symbol)
            elif kind == 9 and waiting > 2:
                book.cancel_all()


class ByColumns(Strategy):
    seed: int = 1

    def __init__(self, **params: int) -> None:
        super().__init__(**params)
        self.dice, self.last, self.seen = self.seed, 0, 0.0
        self.rolled = np.zeros(3, np.int64)

    @jit
    def on_bar(self, bar: Any, book: Any) -> None:  # noqa: PLR0912 - all that a book takes
        oldest = bar.history[0, 0]
        self.seen += book.cash / 1e6 + book.equity / 1e6 + (0.0 if math.isnan(oldest) else oldest)
        for column in range(len(bar.close)):
            for i in range(3):
                self.dice = (self.dice * 1_103_515_245 + 12_345) % 2_147_483_648
                self.rolled[i] = (self.dice >> 8) % (24 if i == 0 else 100)
            kind, part, spread = self.rolled[0], self.rolled[1] / 100, self.rolled[2] / 1000
            price, shares, waiting = bar.close[column], 1.0 + part * 100, book.waiting[column]
            if math.isnan(price):
                continue
            if kind == 0:
                self.last = book.buy(column, shares)
            elif kind == 1 and book.shares[column] > 0:
                self.last = book.sell(column, shares, limit=price * (1 + spread), day=True)
            elif kind == 2 and waiting < 3:
                self.last = book.buy(column, shares, limit=price * (1 - spread))
                book.buy(column, shares, stop=price * (1 + spread), instead_of=self.last)
            elif kind == 3:
                self.last = book.sell(column, shares, stop=price * (1 - spread), limit=price * (1 - 2 * spread))
            elif kind == 4:
                self.last = book.target_weight(
                    column, part / 2 + self.seen % 1.0 * 1e-9
                )  # a last bit that differs spreads
            elif kind == 5:
                self.last = book.target_shares(column, float(math.floor(part * 50)))
            elif kind == 6:
                book.close(column)
            elif kind == 7 and self.last > 0:
                book.cancel(self.last)
            elif kind == 8:
                book.cancel_all(column)
            elif kind == 9 and waiting > 2:
                book.cancel_all()


MODELS: dict[str, Any] = {
    "commission_minimum": 1.0,
    "volume_cap": 0.02,
    "borrow_fee_annual": 0.1,
    "interest_debit_annual": 0.2,
    "maintenance_margin": 0.5,
}


@dataclass
class Block:
    symbols: tuple[str, ...]
    ts: Any
    session: Any
    fields: dict[str, Any]


def market(seed: int, width: int) -> tuple[Block, Any]:
    """Prices with gaps, in Fortran order; the first symbol splits in the middle."""
    rng = np.random.default_rng(seed)
    close = np.asfortranarray(50 * np.exp(np.cumsum(rng.normal(0, 0.02, (ROWS, width)), axis=0)))
    opened = close * np.exp(rng.normal(0, 0.005, close.shape))
    fields = {"open": opened, "close": close, "volume": np.full(close.shape, 1e4)}
    fields["high"] = np.maximum(opened, close) * (1 + rng.random(close.shape) * 0.02)
    fields["low"] = np.minimum(opened, close) * (1 - rng.random(close.shape) * 0.02)
    missing = rng.random(close.shape) < 0.05
    missing[0] = False
    for values in fields.values():
        values[missing] = np.nan
    session = (12_000 + np.arange(ROWS) // 3).astype(np.int32)
    split = SimpleNamespace(symbol="A", session=np.datetime64(int(session[ROWS // 2]), "D").item(), ratio=2.0)
    symbols = tuple("ABC"[:width])
    return Block(symbols, np.arange(ROWS) * 60_000_000, session, fields), actions(symbols, [split], [])


def play(strategy: Any, seed: int, cuts: list[int]) -> tuple[list[Played], Player]:
    """Play a strategy over a market that is cut at `cuts`; a chunk comes with its history."""
    block, known = market(seed, 3 if seed % 2 else 1)
    assert (known["kind"] == SPLIT).all()
    accounts = "sleeves" if seed % 3 == 0 else "one"
    more = MODELS if seed > 2 else {}
    state = order_state.new(block.symbols, EngineSettings(accounts=accounts, leverage=1.0 + seed % 2, **more))
    player, done = Player(state, LOOKBACK, strategy.on_bar), []
    for first, last in zip([0, *cuts], [*cuts, ROWS], strict=True):
        early = max(0, first - LOOKBACK)
        own = {name: values[first:last] for name, values in block.fields.items()}
        seen = {name: values[early:last] for name, values in block.fields.items()}
        ts, session = block.ts, block.session
        bars = Bars(symbols=block.symbols, ts=ts[early:last], session=session[early:last], fields=seen)
        done.append(player.play(Block(block.symbols, ts[first:last], session[first:last], own), known, bars))
    return done, player


def main() -> None:
    """Print the claims of compiled runs, and what compiling took."""
    runs = {seed: play(ByColumns(seed=seed), seed, [100, 101, 400]) for seed in (1, 2)}
    claims = {seed: [played.claim.hex() for played in done] for seed, (done, _) in runs.items()}
    print(json.dumps({"claims": claims, "seconds": [player.compile_seconds for _, player in runs.values()]}))


if __name__ == "__main__":
    main()
