"""The broker between two blocks: accounts and open orders, and the same bytes for the same books."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tapedeck.engine.inputs import Array
from tapedeck.engine.orders import Order
from tapedeck.engine.settings import EngineError, EngineSettings
from tapedeck.versions import ENGINE_VERSION

_HEAD = struct.Struct("<4sI")  # magic, bytes of the JSON header
_MAGIC = b"TDKO"
_ARRAYS = ("cash", "shares", "basis", "mark", "carried")


@dataclass
class OrderState:
    """What the broker knows after a bar; `orders.advance` changes it. Arrays of shape (s,).

    `cash`: (1,), or (s,) for sleeves. `basis`: what the open position cost (negative: what a short brought in).
    `mark`: the last known close, raw, in today's shares. `orders`: the open ones, in the order of their ids.
    """

    settings: EngineSettings
    symbols: tuple[str, ...]
    cash: Array
    shares: Array
    basis: Array
    mark: Array
    carried: Array  # (2,): borrow fees paid and interest received so far
    bars: int = 0  # seen so far
    session: int = -1  # of the last bar seen
    issued: int = 0  # ids given out so far
    orders: list[Order] = field(default_factory=list)

    def to_bytes(self) -> bytes:
        """Return the state; equal books give equal bytes."""
        header = {
            "version": ENGINE_VERSION,
            "settings": asdict(self.settings),
            "symbols": self.symbols,
            "bars": self.bars,
            "session": self.session,
            "issued": self.issued,
            "orders": self.orders,
        }
        text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
        arrays = b"".join(getattr(self, name).astype("<f8").tobytes() for name in _ARRAYS)
        return _HEAD.pack(_MAGIC, len(text)) + text + arrays

    @classmethod
    def from_bytes(cls, body: bytes) -> OrderState:
        """Return the state that `to_bytes` wrote; raises `EngineError` for another version or damaged bytes."""
        try:
            magic, size = _HEAD.unpack_from(body)
            header: dict[str, Any] = json.loads(body[_HEAD.size : _HEAD.size + size])
            if magic != _MAGIC or header["version"] != ENGINE_VERSION:
                raise EngineError(f"this is no state of orders of engine version {ENGINE_VERSION}")
            settings, symbols = EngineSettings(**header["settings"]), tuple(header["symbols"])
            values = np.frombuffer(body, "<f8", offset=_HEAD.size + size).astype(np.float64)
            own = {"cash": 1 if settings.accounts == "one" else len(symbols), "carried": 2}
            lengths = [own.get(name, len(symbols)) for name in _ARRAYS]
            if len(values) != sum(lengths):
                raise EngineError("the state of the orders has another length")
            orders = [Order(*order) for order in header["orders"]]
        except (struct.error, KeyError, TypeError, ValueError) as error:
            raise EngineError(f"this is no state of orders: {error}") from error
        arrays: dict[str, Any] = dict(zip(_ARRAYS, np.split(values, np.cumsum(lengths)[:-1]), strict=True))
        counts: dict[str, Any] = {name: header[name] for name in ("bars", "session", "issued")}
        return cls(settings=settings, symbols=symbols, orders=orders, **counts, **arrays)


def new(symbols: Sequence[str], settings: EngineSettings) -> OrderState:
    """Return the broker's books before the first bar: all cash, nothing held, no order."""
    names = tuple(symbols)
    if not names or len(set(names)) != len(names):
        raise EngineError(f"a run has at least one symbol, each once, not {list(names)}")
    width = len(names)
    accounts = width if settings.accounts == "sleeves" else 1
    return OrderState(
        settings=settings,
        symbols=names,
        cash=np.full(accounts, settings.cash / accounts),
        shares=np.zeros(width),
        basis=np.zeros(width),
        mark=np.full(width, np.nan),
        carried=np.zeros(2),
    )
