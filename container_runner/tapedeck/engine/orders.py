"""Orders: what a strategy asks of the broker, as fixed-width records, and what waits with the broker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tapedeck.engine.liquidity import Lots
from tapedeck.engine.settings import EngineError

MARKET, LIMIT, STOP, STOP_LIMIT, TARGET_WEIGHT, TARGET_SHARES, CANCEL = range(7)
KINDS = ("market", "limit", "stop", "stop_limit", "target_weight", "target_shares", "cancel")
GTC, DAY = range(2)
MOST = 1e15  # shares, weight or price: more is a mistake, and its square is still a number
MOST_OPEN = 10_000  # orders at a time: the broker looks at each of them at every bar

RECORD = np.dtype(
    [
        ("bar", "<i8"),  # the bar on which it was asked for, counted from the run's first
        ("kind", "<i4"),  # index into KINDS
        ("symbol", "<i4"),  # column; 0 for a cancel
        ("tif", "<i4"),  # GTC or DAY
        ("zero", "<i4"),
        ("ref", "<i8"),  # cancel: the order; else an open order of which it is the alternative, 0 = none
        ("quantity", "<f8"),  # shares, negative to sell; the weight for a target weight; 0 for a cancel
        ("limit", "<f8"),  # raw price, 0 = none
        ("stop", "<f8"),
    ]
)
_SLAB = 4096
Ask = tuple[int, int, int, int, int, int, float, float, float]  # a record's fields
_HAS_LIMIT = np.array([kind in (LIMIT, STOP_LIMIT) for kind in range(len(KINDS))])
_HAS_STOP = np.array([kind in (STOP, STOP_LIMIT) for kind in range(len(KINDS))])
_MAY_BE_ZERO = np.array([kind in (TARGET_WEIGHT, TARGET_SHARES, CANCEL) for kind in range(len(KINDS))])
_IN_SHARES = np.array([kind not in (TARGET_WEIGHT, CANCEL) for kind in range(len(KINDS))])


class Order(NamedTuple):
    """An open order. `quantity`: what is left to fill in shares, negative to sell; prices are raw, 0 = none."""

    id: int
    symbol: str
    kind: str  # of KINDS; a target is a market order once it is sized, a stop-limit a limit once it is triggered
    quantity: float
    limit: float
    stop: float
    tif: str  # "GTC" or "DAY"
    group: int  # orders of one group are alternatives: the first fill cancels the others; 0 = none
    bar: int  # on which it was asked for
    session: int  # of the first bar at which it lives, -1 before it
    column: int
    accrued: float = -1.0  # commission of its fills so far, before the minimum; -1 = no fill yet


def to_bytes(asked: Sequence[Ask]) -> bytes:
    """Return the records of what was asked for, in order."""
    return np.array(list(asked), dtype=RECORD).tobytes()


def from_bytes(body: bytes, *, first: int, rows: int, width: int, lots: Lots) -> NDArray[np.void]:
    """Return the records of `rows` bars from bar `first` on, of `width` symbols.

    Raises `EngineError` for any record that `tapedeck.book.Book` cannot have written.
    """
    if len(body) % RECORD.itemsize:
        raise EngineError(f"{len(body)} bytes are no whole number of orders of {RECORD.itemsize} bytes")
    found = np.frombuffer(body, RECORD)
    if not len(found):
        return found
    bar, kind, symbol = found["bar"], found["kind"], found["symbol"]
    _must("bars in order within the chunk", (np.diff(bar, prepend=bar[0]) >= 0) & (bar >= first) & (bar < first + rows))
    _must("known kinds", (kind >= 0) & (kind < len(KINDS)))
    _must("symbols of the run", (symbol >= 0) & (symbol < width) & ((kind != CANCEL) | (symbol == 0)))
    _must("a known time in force", (found["tif"] >= GTC) & (found["tif"] <= DAY) & (found["zero"] == 0))
    _must("an order to refer to", (found["ref"] >= 0) & ((kind != CANCEL) | (found["ref"] > 0)))
    quantity = found["quantity"]
    _must("finite quantities", np.abs(quantity) <= MOST)
    _must("quantities that are not zero", (quantity != 0) | _MAY_BE_ZERO[kind])
    _must("no quantity to cancel", (quantity == 0) | (kind != CANCEL))
    if lots.shares:
        _must("whole lots", lots.are_whole(quantity) | ~_IN_SHARES[kind])
    for name, has in (("limit", _HAS_LIMIT[kind]), ("stop", _HAS_STOP[kind])):
        price = found[name]
        _must(f"{name} prices", np.where(has, (price > 0) & (price <= MOST), price == 0))
    return found


def unpacked(records: NDArray[np.void]) -> Iterator[Ask]:
    """Yield the records' fields as Python's numbers, a few thousand at a time in memory."""
    for start in range(0, len(records), _SLAB):
        yield from records[start : start + _SLAB].tolist()


def _must(what: str, good: NDArray[np.bool_]) -> None:
    if not good.all():
        raise EngineError(f"order {int(np.flatnonzero(~good)[0])} of the chunk: {what} are expected")
