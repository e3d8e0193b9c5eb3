"""What a block's pass can know beforehand, column by column: last known values, changed targets, due actions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapedeck.engine.inputs import Array, Block
from tapedeck.engine.settings import EngineError, EngineSettings
from tapedeck.engine.state import SPLIT, EngineState


@dataclass(frozen=True)
class Plan:
    """`mark`: (n, s) last known close at each bar. `decide`: (n, s) where a target is to be traded."""

    mark: Array
    decide: NDArray[np.bool_]
    targets: Array  # (n, s): the last target that was not NaN, this bar's included
    due: dict[int, list[tuple[int, int, float]]]  # row -> (kind, column, value), in the order in which they apply


def make(state: EngineState, block: Block, targets: Array) -> Plan:
    """Return the plan of a block whose shape is right; raises `EngineError` for an infinite target."""
    check_finite(state, block, targets)
    known = filled(targets, state.target)
    before = np.concatenate([state.target[None], known[:-1]])
    decide = ~np.isnan(targets) & ((targets != before) | rhythm(state, block)[:, None])
    actions = due(state, block)
    mark = filled(block.fields["close"], state.mark)
    split_marks(mark, block.fields["close"], actions)
    return Plan(mark, decide, known, actions)


def check(state: EngineState, block: Block, targets: Array) -> None:
    """Raise `EngineError` when the shape or the sessions of the block do not fit the state."""
    if tuple(block.symbols) != state.symbols:
        raise EngineError(f"the block has symbols {list(block.symbols)}, expected {list(state.symbols)}")
    expected = (len(block.ts), len(state.symbols))
    read = ("open", "close", "volume") if state.settings.by_volume else ("open", "close")
    missing = [name for name in read if name not in block.fields]
    if missing:
        raise EngineError(f"the block has no {missing[0]}, on which this run's fills depend")
    shapes = {"targets": targets.shape} | {name: block.fields[name].shape for name in read}
    for name, shape in shapes.items():
        if shape != expected:
            raise EngineError(f"{name} have shape {shape}, expected {expected}: bars x symbols")
    if len(block.session) != len(block.ts):
        raise EngineError(f"the block has {len(block.session)} sessions for {len(block.ts)} bars")
    if len(block.session) and (block.session[0] < state.session or (np.diff(block.session) < 0).any()):
        raise EngineError("sessions go back in time")


def check_finite(state: EngineState, block: Block, targets: Array) -> None:
    """Raise `EngineError` for an infinite target, with bar and symbol."""
    infinite = np.argwhere(np.isinf(targets))
    if len(infinite):
        row, column = (int(i) for i in infinite[0])
        time = block.ts[row : row + 1].view("datetime64[us]")[0]
        raise EngineError(f"the weight of {state.symbols[column]} at bar {time} UTC is {targets[row, column]}")


def filled(values: Array, carry: Array) -> Array:
    """Return `values` with each NaN replaced by the last value above it, `carry` above the first row."""
    rows = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, rows), axis=0)
    return np.where(last >= 0, np.take_along_axis(values, np.maximum(last, 0), axis=0), carry)


def rhythm(state: EngineState, block: Block) -> NDArray[np.bool_]:
    """Return True at the bars where an unchanged target is traded again: the first of a session or month."""
    periods = block.session.astype(np.int64)
    before = np.int64(state.session)
    if state.settings.rebalance == "month":
        periods = periods.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        before = before.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    elif state.settings.rebalance == "change":
        return np.zeros(len(periods), dtype=np.bool_)
    if state.session < 0:
        before = np.int64(-(2**31))
    changed: NDArray[np.bool_] = np.diff(periods, prepend=before) != 0
    return changed


def due(state: EngineState, block: Block) -> dict[int, list[tuple[int, int, float]]]:
    """Return the actions by the row at which they apply: the first bar of their session, or of the next there is."""
    found: dict[int, list[tuple[int, int, float]]] = {}
    if not len(block.session):
        return found
    end = int(np.searchsorted(state.actions["session"], block.session[-1], side="right"))
    for session, kind, column, value in state.actions[state.actions_done : end].tolist():
        found.setdefault(int(np.searchsorted(block.session, session)), []).append((kind, column, value))
    return found


def days_passed(settings: EngineSettings, session: int, sessions: NDArray[np.int32]) -> dict[int, int]:
    """Return the days since the session before by the row of each session's first bar, where holding costs anything."""
    if not settings.carries:
        return {}
    days = np.diff(sessions, prepend=np.int32(session if session >= 0 else sessions[0]) if len(sessions) else 0)
    return {int(row): int(days[row]) for row in np.flatnonzero(days)}


def split_marks(mark: Array, close: Array, due: dict[int, list[tuple[int, int, float]]]) -> None:
    """State last known closes in shares after each split, until the symbol trades again."""
    for row in sorted(due):
        for kind, column, ratio in due[row]:
            if kind != SPLIT:
                continue
            traded = np.flatnonzero(~np.isnan(close[row:, column]))
            until = row + int(traded[0]) if len(traded) else len(close)
            if until > row:
                mark[row:until, column] = mark[row, column] / ratio
