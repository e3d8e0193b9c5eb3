"""The books of a run, chunk by chunk, by what the strategy decides: weights, shares or orders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from tapedeck import engine
from tapedeck.bars import Array, Bars
from tapedeck.decisions import by_bar
from tapedeck.engine import order_pass, order_state
from tapedeck.engine.inputs import Dividend, Split
from tapedeck.engine.share_targets import ShareTargets
from tapedeck.engine.state import actions
from tapedeck.laptop.deciding import Decide
from tapedeck.market.block import Block
from tapedeck.on_bar import Player


class Traded(Protocol):
    """What is traded, and what happens to it within the run."""

    @property
    def symbols(self) -> tuple[str, ...]: ...  # noqa: D102 - the class says it
    @property
    def splits(self) -> Sequence[Split]: ...  # noqa: D102
    @property
    def dividends(self) -> Sequence[Dividend]: ...  # noqa: D102


class ByWeights:
    """The books of what decides by weights."""

    compile_seconds: float | None = None

    def __init__(self, market: Traded, settings: engine.EngineSettings, lookback: int, decide: Decide) -> None:
        self._state = engine.start(market.symbols, settings, market.splits, market.dividends)
        self._decide = decide

    def book(self, block: Block, bars: Bars) -> tuple[Iterable[bytes | memoryview], engine.StepResult]:
        """Ask for the decisions on a chunk; return the bytes that count of them, and what they led to."""
        targets = self._decide(bars)[len(bars) - len(block) :]
        return by_bar(targets), self._step(block, targets)

    def _step(self, block: Block, targets: Array) -> engine.StepResult:
        return engine.step(self._state, block, targets)

    def finish(self) -> engine.Closing:
        """Return what is left undone after the last bar."""
        return engine.finish(self._state)


class ByShares(ByWeights):
    """The books of what decides by shares."""

    def __init__(self, market: Traded, settings: engine.EngineSettings, lookback: int, decide: Decide) -> None:
        super().__init__(market, settings, lookback, decide)
        self._targets = ShareTargets(market.symbols, settings, market.splits, market.dividends)

    def _step(self, block: Block, targets: Array) -> engine.StepResult:
        return self._targets.step(block, targets)

    def finish(self) -> engine.Closing:
        """Return what is left undone after the last bar."""
        return self._targets.finish()


class ByOrders:
    """The books of what decides bar by bar."""

    def __init__(self, market: Traded, settings: engine.EngineSettings, lookback: int, decide: Decide) -> None:
        self._state = order_state.new(market.symbols, settings)
        self._actions = actions(market.symbols, market.splits, market.dividends)
        self._player = Player(self._state, lookback, decide)

    def book(self, block: Block, bars: Bars) -> tuple[Iterable[bytes | memoryview], engine.StepResult]:
        """Play a chunk; return its orders as they would be sealed, and what they led to."""
        played = self._player.play(block, self._actions, bars)
        return [played.orders], played.step

    @property
    def compile_seconds(self) -> float | None:
        """What Numba took to compile `on_bar`, where it did."""
        return self._player.compile_seconds

    def finish(self) -> engine.Closing:
        """Return what is left undone after the last bar."""
        return order_pass.finish(self._state)


Keeper = ByWeights | ByOrders
_KEEPERS: dict[str, type[Keeper]] = {"on_bar": ByOrders, "shares": ByShares}


def keeper(level: str, market: Traded, settings: engine.EngineSettings, lookback: int, decide: Decide) -> Keeper:
    """Return the books of a strategy of this level, before the first bar."""
    return _KEEPERS.get(level, ByWeights)(market, settings, lookback, decide)
