"""What a run's costs and market model may be set to; here, because the control plane, which has no NumPy, checks it.

Every number is 0 where nothing is asked for. `docs/reference/semantics.md` states what each of them does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple


class Range(NamedTuple):
    """The numbers that a setting takes, both ends included, and their unit."""

    low: float
    high: float
    unit: str

    def __str__(self) -> str:
        """Return the range in words."""
        return f"a number from {self.low:,g} to {self.high:,g} ({self.unit})"


RANGES: dict[str, Range] = {
    "commission_bps": Range(0, 1_000, "basis points of traded value"),
    "commission_per_share": Range(0, 1_000, "currency a share"),
    "commission_minimum": Range(0, 1_000_000, "currency an order"),
    "slippage_bps": Range(0, 1_000, "basis points of the price"),
    "half_spread_per_share": Range(0, 1_000_000, "currency a share"),
    "impact_bps": Range(0, 10_000, "basis points of the price for an order as large as the bar's volume"),
    "volume_cap": Range(0, 1, "share of a bar's volume; 0 = no cap"),
    "borrow_fee_annual": Range(0, 10, "of the value held short, a year; 0.03 = 3 %"),
    "interest_credit_annual": Range(0, 10, "of positive cash, a year; 0.03 = 3 %"),
    "interest_debit_annual": Range(0, 10, "of negative cash, a year; 0.03 = 3 %"),
    "lot_size": Range(0, 1_000_000_000, "shares; 0 = none"),
    "maintenance_margin": Range(0, 1, "equity as a share of the value held, long and short; 0 = no margin calls"),
}


def checked(key: str, value: object) -> float:
    """Return a setting's number; raises `ValueError` naming the key and what it takes."""
    number = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else value
    if not RANGES[key].low <= number <= RANGES[key].high:
        raise ValueError(f"{key} is {RANGES[key]}, not {value!r}")
    return float(number)


def contradiction(settings: Mapping[str, float]) -> str | None:
    """Return in words how two settings, each within its range, exclude each other; None when they do not."""
    most = 1 / settings["leverage"]
    if settings["maintenance_margin"] > most:
        called = f"maintenance_margin is at most 1 / leverage = {most:g}, not {settings['maintenance_margin']:g}"
        return f"{called}: a position bought with all of the leverage would be called at once"
    lot = settings["lot_size"]
    if not settings["fractional"] and lot != int(lot):
        return f"lot_size is a whole number of shares with fractional = false, not {lot:g}"
    return None
