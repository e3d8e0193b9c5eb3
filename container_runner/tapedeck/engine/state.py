"""The books between two blocks: flat arrays, and the same bytes for the same books."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapedeck.engine.costs import UNFILLED
from tapedeck.engine.inputs import Array, Dividend, Split
from tapedeck.engine.settings import EngineError, EngineSettings
from tapedeck.versions import ENGINE_VERSION

_HEAD = struct.Struct("<4sI")  # magic, bytes of the JSON header
_MAGIC = b"TDKE"
_EPOCH = date(1970, 1, 1)

ACTION = np.dtype([("session", "<i4"), ("kind", "<i4"), ("symbol", "<i4"), ("value", "<f8")])
DIVIDEND, SPLIT = 0, 1  # kinds in the order in which they apply within a session


@dataclass
class EngineState:
    """What the engine knows after a bar. Arrays of shape (s,) unless said otherwise; `step` changes them.

    `cash`: (1,), or (s,) for sleeves. `basis`: what the open position cost (negative: what a short brought in).
    `target`: the last target that was not NaN. `pending`: the order that waits, shares (size_at="decision") or weight
    (size_at="fill"), NaN = none. `unsized`: 1 where a target waits for a first known price. `decided`: the bar of the
    last decision. `mark`: the last known close, raw, in today's shares. `accrued`: the waiting order's commission so
    far, before its minimum; -1 = no fill yet. `carried`: (2,), borrow fees paid and interest received so far.
    """

    settings: EngineSettings
    symbols: tuple[str, ...]
    actions: NDArray[np.void]  # dtype ACTION, sorted
    actions_done: int
    bars: int  # seen so far
    session: int  # of the last bar seen; -1 before the first
    cash: Array
    shares: Array
    basis: Array
    target: Array
    pending: Array
    unsized: Array
    decided: Array
    mark: Array
    accrued: Array
    carried: Array

    def to_bytes(self) -> bytes:
        """Return the state; equal books give equal bytes."""
        header = {
            "version": ENGINE_VERSION,
            "settings": asdict(self.settings),
            "symbols": self.symbols,
            "actions": len(self.actions),
            "actions_done": self.actions_done,
            "bars": self.bars,
            "session": self.session,
        }
        text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
        arrays = b"".join(getattr(self, name).astype("<f8").tobytes() for name in _ARRAYS)
        return _HEAD.pack(_MAGIC, len(text)) + text + self.actions.tobytes() + arrays

    @classmethod
    def from_bytes(cls, body: bytes) -> EngineState:
        """Return the state that `to_bytes` wrote; raises `EngineError` for another version or damaged bytes."""
        try:
            magic, size = _HEAD.unpack_from(body)
            header: dict[str, Any] = json.loads(body[_HEAD.size : _HEAD.size + size])
            if magic != _MAGIC or header["version"] != ENGINE_VERSION:
                raise EngineError(f"this is no state of engine version {ENGINE_VERSION}")
            settings, symbols = EngineSettings(**header["settings"]), tuple(header["symbols"])
            at = _HEAD.size + size
            actions = np.frombuffer(body, ACTION, header["actions"], at)
            at += actions.nbytes
            own = {"cash": 1 if settings.accounts == "one" else len(symbols), "carried": 2}
            lengths = [own.get(name, len(symbols)) for name in _ARRAYS]
            values = np.frombuffer(body, "<f8", sum(lengths), at).astype(np.float64)
            if at + values.nbytes != len(body):
                raise EngineError("the engine's state has bytes left over")
            if len(actions) and not 0 <= actions["symbol"].min() <= actions["symbol"].max() < len(symbols):
                raise EngineError("the engine's state has actions of unknown symbols")
        except (struct.error, KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise EngineError(f"this is no engine state: {error}") from error
        arrays: dict[str, Any] = dict(zip(_ARRAYS, np.split(values, np.cumsum(lengths)[:-1]), strict=True))
        counts: dict[str, Any] = {name: header[name] for name in ("actions_done", "bars", "session")}
        return cls(settings=settings, symbols=symbols, actions=actions, **counts, **arrays)


_ARRAYS = ("cash", "shares", "basis", "target", "pending", "unsized", "decided", "mark", "accrued", "carried")


def actions(symbols: Sequence[str], splits: Sequence[Split], dividends: Sequence[Dividend]) -> NDArray[np.void]:
    """Return the actions of these symbols, dtype ACTION, in the order in which they apply."""
    if not symbols or len(set(symbols)) != len(symbols):
        raise EngineError(f"a run has at least one symbol, each once, not {list(symbols)}")
    column = {name: i for i, name in enumerate(symbols)}
    rows = [(d.session, DIVIDEND, column[d.symbol], d.amount) for d in dividends if d.symbol in column]
    rows += [(s.session, SPLIT, column[s.symbol], s.ratio) for s in splits if s.symbol in column]
    days = sorted(((session - _EPOCH).days, kind, symbol, value) for session, kind, symbol, value in rows)
    return np.array(days, dtype=ACTION)


def new(
    symbols: Sequence[str], settings: EngineSettings, splits: Sequence[Split], dividends: Sequence[Dividend]
) -> EngineState:
    """Return the books before the first bar: all cash, nothing held; actions of other symbols are left out."""
    names = tuple(symbols)
    width = len(names)
    days = actions(names, splits, dividends)
    sleeves = settings.accounts == "sleeves"
    return EngineState(
        settings=settings,
        symbols=names,
        actions=days,
        actions_done=0,
        bars=0,
        session=-1,
        cash=np.full(width if sleeves else 1, settings.cash / (width if sleeves else 1)),
        shares=np.zeros(width),
        basis=np.zeros(width),
        target=np.full(width, np.nan),
        pending=np.full(width, np.nan),
        unsized=np.zeros(width),
        decided=np.full(width, -1.0),
        mark=np.full(width, np.nan),
        accrued=np.full(width, UNFILLED),
        carried=np.zeros(2),
    )
