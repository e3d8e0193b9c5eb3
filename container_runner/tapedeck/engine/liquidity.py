"""How much of an order a bar takes: whole lots, a share of its volume, nothing while trading is halted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-6  # of a lot: 0.29 / 0.01 is 28.999999999999996


@dataclass(frozen=True, slots=True)
class Lots:
    """Shares are traded in whole multiples of `shares`; 0 = any fraction."""

    shares: float

    def down(self, quantity: float) -> float:
        """Return the whole lots in a quantity, towards zero."""
        if not self.shares or not math.isfinite(quantity):
            return quantity
        if self.shares == 1.0:
            return float(math.trunc(quantity))
        lots = quantity / self.shares
        if not math.isfinite(lots):
            return quantity
        whole = round(lots)
        return (whole if abs(lots - whole) <= _ROUNDING else math.trunc(lots)) * self.shares

    def up(self, quantity: float) -> float:
        """Return the least whole lots that hold a quantity, away from zero."""
        down = self.down(quantity)
        if not self.shares or abs(quantity - down) <= _ROUNDING * self.shares:
            return down
        return down + math.copysign(self.shares, quantity)

    def are_whole(self, quantities: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say of each quantity whether it is a whole number of lots; NaN is none."""
        lots = quantities / self.shares
        with np.errstate(invalid="ignore"):  # infinity is none either
            off = np.abs(lots - np.round(lots))
        whole: NDArray[np.bool_] = off <= (0.0 if self.shares == 1.0 else _ROUNDING)
        return whole


@dataclass(frozen=True, slots=True)
class VolumeCap:
    """All orders of a symbol together fill at most `share` of a bar's volume; 0 = no cap."""

    share: float

    def shares(self, volume: float, lots: Lots) -> float:
        """Return how many shares a bar takes."""
        return lots.down(self.share * volume) if self.share else math.inf


@dataclass(frozen=True, slots=True)
class Halts:
    """A bar without a price is a halt, always; `by_volume`: so is one without volume."""

    by_volume: bool

    def opens(self, opens: list[float], volumes: list[float]) -> list[float]:
        """Return the opens at which orders fill, NaN while trading is halted."""
        if not self.by_volume:
            return opens
        return [price if volume > 0 else math.nan for price, volume in zip(opens, volumes, strict=True)]
