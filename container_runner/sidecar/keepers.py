"""From a chunk's sealed bytes to fills and equity: weights by the weights' engine, orders by replaying them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np

import contract
from sidecar.failures import RunError
from tapedeck import engine
from tapedeck.compiled import holds_infinite
from tapedeck.decisions import by_bar, from_bytes
from tapedeck.engine import order_pass, order_state
from tapedeck.engine.share_targets import ShareTargets
from tapedeck.engine.state import actions
from tapedeck.market.actions import Dividend, Split
from tapedeck.market.block import Block
from tapedeck.on_bar import claim

Decided = Iterable[bytes | memoryview]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Kept:
    """What the books of a run depend on beside bars and decisions."""

    symbols: Sequence[str]
    settings: engine.EngineSettings
    splits: Sequence[Split]
    dividends: Sequence[Dividend]


class Keeper(Protocol):
    """Keeps the books of one level."""

    def book(self, own: Block, sealed: bytes) -> tuple[Decided, engine.StepResult]:
        """Return the decisions that count, the same bytes however the run was cut, and what they led to.

        Raises `RunError`.
        """
        ...

    def finish(self) -> engine.Closing:
        """Return what is left undone after the last chunk."""
        ...


class WeightKeeper:
    """Weights: `tapedeck.decisions.from_bytes`."""

    def __init__(self, run: Kept) -> None:
        self._state = engine.start(run.symbols, run.settings, run.splits, run.dividends)

    def book(self, own: Block, sealed: bytes) -> tuple[Decided, engine.StepResult]:
        """Raise `RunError` CODE for an infinite weight, with bar and symbol."""
        targets = from_bytes(sealed, len(own), own.symbols)
        if holds_infinite(targets):
            row, column = (int(i) for i in np.argwhere(np.isinf(targets))[0])
            raise RunError("CODE", f"the weight of {own.symbols[column]} at bar {bar_time(own, row)} is infinite")
        return by_bar(targets), engine.step(self._state, own, targets)

    def finish(self) -> engine.Closing:
        """Return the decisions that no bar follows."""
        return engine.finish(self._state)


class ShareKeeper:
    """Target shares: `tapedeck.decisions.from_bytes`."""

    def __init__(self, run: Kept) -> None:
        self._targets = ShareTargets(run.symbols, run.settings, run.splits, run.dividends)

    def book(self, own: Block, sealed: bytes) -> tuple[Decided, engine.StepResult]:
        """Raise `RunError` CODE for a target that is no number of shares, with bar and symbol."""
        targets = from_bytes(sealed, len(own), own.symbols)
        try:
            return by_bar(targets), self._targets.step(own, targets)
        except engine.EngineError as error:
            raise RunError(error.failure_kind, str(error)) from error

    def finish(self) -> engine.Closing:
        """Return the decisions that no bar follows."""
        return self._targets.finish()


class OrderKeeper:
    """Orders: a claim, then records. The same engine that ran inside runs here, and must come to the claim."""

    def __init__(self, run: Kept) -> None:
        self._state = order_state.new(run.symbols, run.settings)
        self._actions = actions(run.symbols, run.splits, run.dividends)

    def book(self, own: Block, sealed: bytes) -> tuple[Decided, engine.StepResult]:
        """Raise `RunError` TAMPERED for orders that no book writes and for another outcome than the claimed one."""
        claimed, orders = sealed[: contract.CLAIM_BYTES], sealed[contract.CLAIM_BYTES :]
        try:
            done = order_pass.replay(self._state, own, self._actions, orders)
        except engine.EngineError as error:
            raise RunError(
                "TAMPERED", f"the orders that the strategy's process handed out cannot be: {error}"
            ) from error
        if claim(done, self._state) != claimed:
            first, last = bar_time(own, 0), bar_time(own, len(own) - 1)
            raise RunError(
                "TAMPERED",
                f"from {first} to {last} the strategy's process saw other fills or equity than its orders lead to: "
                "something in it changed the engine or the bars",
            )
        return [orders], done

    def finish(self) -> engine.Closing:
        """Return the orders that no bar follows."""
        return order_pass.finish(self._state)


def bar_time(own: Block, row: int) -> str:
    """Return a bar's start, ISO 8601, UTC."""
    return (_EPOCH + timedelta(microseconds=int(own.ts[row]))).isoformat(timespec="minutes")


_KEEPERS: dict[str, Callable[[Kept], Keeper]] = {"on_bar": OrderKeeper, "shares": ShareKeeper}


def keeper(level: contract.Level, run: Kept) -> Keeper:
    """Return what keeps the books of a level; what is not named here decides by weights."""
    return _KEEPERS.get(level, WeightKeeper)(run)
