"""Whether decisions are the same: by digest, and value by value where the digests differ."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from tapedeck.bars import Array

ROUNDING = 1e-12  # of the weight, or of 1: what the same sum can differ by when an array's length changes its order
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_0 = date(1970, 1, 1)


@dataclass(frozen=True)
class Difference:
    """One decision that came out twice: `ts` in us UTC (the bar's start), `session` in days since 1970-01-01."""

    ts: int
    session: int
    symbol: str
    full: float  # in the run; NaN = leave the position alone
    replayed: float

    def __str__(self) -> str:
        values = f"{_weight(self.full)} in the run and {_weight(self.replayed)}"
        return f"on the bar {bar_name(self.ts, self.session)} the weight of {self.symbol} is {values}"


def bar_name(ts: int, session: int) -> str:
    """Return a bar in words: its start in UTC, and its session where that is another day."""
    start = _EPOCH + timedelta(microseconds=ts)
    day = _DAY_0 + timedelta(days=session)
    return f"{start:%Y-%m-%d %H:%M} UTC" + ("" if start.date() == day else f" (session {day})")


def digest(decisions: Array) -> bytes:
    """Return the SHA-256 of decisions; every NaN is the same NaN, and -0.0 is 0.0."""
    values = np.ascontiguousarray(decisions.T, "<f8") + 0.0
    values[np.isnan(values)] = np.nan
    return hashlib.sha256(values.data).digest()


def changed(decisions: Array) -> NDArray[np.bool_]:
    """Return where a decision is not that of the row before; in the first row nowhere."""
    result = np.zeros(decisions.shape, np.bool_)
    before, after = decisions[:-1], decisions[1:]
    result[1:] = (before != after) & ~(np.isnan(before) & np.isnan(after))
    return result


def first_difference(
    full: Array, replayed: Array, ts: NDArray[np.int64], session: NDArray[np.int32], symbols: Sequence[str]
) -> tuple[Difference | None, bool]:
    """Return the first decision that is another beyond `ROUNDING`, else the first that is another, and whether beyond.

    All arrays have the same rows; the first is the earliest row's, then the first symbol's.
    """
    other = (full != replayed) & ~(np.isnan(full) & np.isnan(replayed))
    size = np.maximum(1.0, np.maximum(np.abs(full), np.abs(replayed)))
    with np.errstate(invalid="ignore"):  # infinite on either side
        beyond = other & ~(np.abs(full - replayed) <= ROUNDING * size)
    found = np.argwhere(beyond if beyond.any() else other)
    if not len(found):
        return None, False
    row, column = (int(at) for at in found[0])
    values = float(full[row, column]), float(replayed[row, column])
    return Difference(int(ts[row]), int(session[row]), symbols[column], *values), bool(beyond.any())


def _weight(value: float) -> str:
    return "NaN (leave the position alone)" if np.isnan(value) else f"{value:.12g}"
