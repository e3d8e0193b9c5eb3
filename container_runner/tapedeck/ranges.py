"""What a run's costs and market model may be set to, and how a setting reads.

Here, because the control plane, which has no NumPy, checks it.
Every number is 0 where nothing is asked for. `docs/reference/semantics.md` states what each of them does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple


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
SETTINGS = ("cash", "accounts", "size_at", "rebalance", "leverage", "fractional", "halt_zero_volume", *RANGES)


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


def in_words(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return how a run's costs and market are set, as label and text: for a report."""
    return [
        ("Costs", f"commission {_commission(settings)}; slippage {_slippage(settings)}"),
        ("Market", "; ".join(_market(settings))),
        ("Carry", "; ".join(_carry(settings)) or "no borrow fee, no interest"),
        ("Margin", _margin(settings)),
    ]


def _commission(of: Mapping[str, Any]) -> str:
    parts = [f"{of['commission_bps']:g} bps of traded value"]
    if of["commission_per_share"]:
        parts.append(f"{of['commission_per_share']:g} a share")
    least = f", at least {of['commission_minimum']:g} an order" if of["commission_minimum"] else ""
    return " + ".join(parts) + least


def _slippage(of: Mapping[str, Any]) -> str:
    parts = [f"{of['slippage_bps']:g} bps of the price"]
    if of["half_spread_per_share"]:
        parts.append(f"half a spread of {of['half_spread_per_share']:g} a share")
    if of["impact_bps"]:
        parts.append(f"{of['impact_bps']:g} bps x sqrt(order / bar's volume)")
    return " + ".join(parts)


def _market(of: Mapping[str, Any]) -> list[str]:
    takes = f"{of['volume_cap'] * 100:.4g} % of its volume" if of["volume_cap"] else "every order whole"
    parts = [f"a bar takes {takes}"]
    if of["lot_size"] or not of["fractional"]:
        parts.append(f"lots of {of['lot_size'] or 1:g} shares")
    if of["halt_zero_volume"] or of["volume_cap"] or of["impact_bps"]:
        parts.append("a bar without volume is a halt")
    return parts


def _carry(of: Mapping[str, Any]) -> list[str]:
    rates = {
        "borrow_fee_annual": "borrow fee {:.4g} % of the value held short",
        "interest_credit_annual": "interest {:.4g} % on cash",
        "interest_debit_annual": "interest {:.4g} % on debt",
    }
    parts = [text.format(of[name] * 100) for name, text in rates.items() if of[name]]
    return [*parts[:-1], f"{parts[-1]}, a year, by calendar days / 365"] if parts else []


def _margin(of: Mapping[str, Any]) -> str:
    if not of["maintenance_margin"]:
        return "no margin calls"
    return f"equity of at least {of['maintenance_margin'] * 100:.4g} % of the value held, else a margin call"
