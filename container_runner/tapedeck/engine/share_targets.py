"""Target shares decided on whole blocks: a changed target is a market order for the difference, kept by the broker."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tapedeck.engine import order_pass, order_state, orders, plan
from tapedeck.engine.core import Closing, StepResult
from tapedeck.engine.inputs import Array, Block, Dividend, Split
from tapedeck.engine.liquidity import Lots
from tapedeck.engine.settings import EngineError, EngineSettings
from tapedeck.engine.state import actions


class ShareTargets:
    """The books of a run that decides in shares; the same to the byte however bars are cut."""

    def __init__(
        self, symbols: Sequence[str], settings: EngineSettings, splits: Sequence[Split], dividends: Sequence[Dividend]
    ) -> None:
        self._state = order_state.new(symbols, settings)
        self._actions = actions(symbols, splits, dividends)
        self._target = np.full(len(symbols), np.nan)

    def step(self, block: Block, targets: Array) -> StepResult:
        """Carry the books over a block; `targets` is float64 (n, s), NaN = leave the position alone.

        Raises `EngineError` for a target that is no number of shares, with bar and symbol.
        """
        self._check(block, targets)
        known = plan.filled(targets, self._target)
        before = np.concatenate([self._target[None], known[:-1]])
        rows, columns = np.nonzero(~np.isnan(targets) & (targets != before))
        records = np.zeros(len(rows), dtype=orders.RECORD)
        records["bar"], records["symbol"] = rows + self._state.bars, columns
        records["kind"], records["quantity"] = orders.TARGET_SHARES, targets[rows, columns]
        done = order_pass.replay(self._state, block, self._actions, records.tobytes())
        if len(known):
            self._target = known[-1].copy()
        return done

    def finish(self) -> Closing:
        """Return what is left undone after the last bar."""
        return order_pass.finish(self._state)

    def _check(self, block: Block, targets: Array) -> None:
        bad = np.abs(targets) > orders.MOST
        lots = Lots(self._state.settings.lot)
        if lots.shares:
            bad |= np.isfinite(targets) & ~lots.are_whole(targets)
        wrong = np.argwhere(bad)
        if len(wrong):
            row, column = (int(i) for i in wrong[0])
            time = block.ts[row : row + 1].view("datetime64[us]")[0]
            what = f"{targets[row, column]}, no number of shares that this run trades"
            raise EngineError(f"the target of {block.symbols[column]} at bar {time} UTC is {what}")
