"""A bar as a vendor writes it, and what can be wrong with its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from tapedeck.market import encoding
from tapedeck.market.encoding import PRICES

Tick = tuple[int, int]  # integer and decimal scale
_MAX_SPLIT, _NEAR = 50, 0.03  # two levels are k to 1 for a k up to the first, to within the second, relative


@dataclass(frozen=True)
class Rounded:
    """A number as printed: right to within `half`, half of its last decimal."""

    value: float
    half: float

    @classmethod
    def of(cls, text: str, decimals: int = 0) -> Rounded:
        """Return the number of a text that has at least `decimals` decimals, printed or not. Raises EncodingError."""
        _, _, fraction, exponent = encoding.check_decimal(text).groups(default="")
        printed = len(fraction) - int(exponent or 0)
        return cls(float(text), 0.5 * 10.0 ** -max(printed, decimals))


@dataclass(frozen=True, slots=True)
class Row:
    """A bar as a vendor writes it, with where it stands; `adjusted` is the adjusted close where there is one."""

    session: date
    ts: int  # us UTC, the bar's start
    ticks: tuple[Tick, Tick, Tick, Tick, Tick]  # open, high, low, close, volume
    file: str
    line: int
    adjusted: Rounded | None = None


@dataclass(frozen=True)
class AdjustedClose:
    """A session's raw and adjusted close."""

    session: date
    close: float
    adjusted: Rounded


def faults(ticks: tuple[Tick, Tick, Tick, Tick, Tick]) -> str | None:
    """Return what is wrong with a bar's numbers, None when nothing is."""
    scale = max(tick[1] for tick in ticks[:4])
    prices = [value * 10 ** (scale - own) for value, own in ticks[:4]]
    opened, high, low, closed = prices
    if low <= 0 or min(prices) <= 0:
        name = PRICES[prices.index(min(prices))]
        return f"{name} is {min(prices) / 10**scale:g}: prices are above 0"
    if high < low:
        return f"high {high / 10**scale:g} is below low {low / 10**scale:g}"
    for name, value in (("open", opened), ("close", closed)):
        if not low <= value <= high:
            return f"{name} {value / 10**scale:g} is outside of low {low / 10**scale:g} and high {high / 10**scale:g}"
    if ticks[4][0] < 0:
        return f"volume is {ticks[4][0] / 10 ** ticks[4][1]:g}"
    return None


def two_scales(ticks: tuple[Tick, Tick, Tick, Tick, Tick]) -> int | None:
    """Return k when a bar's prices lie at two levels that are k to 1, as where a split meets unsplit prices.

    So AAPL on 2014-06-09 at 04:00: open and high 645.57, low 92.23, close 92.42.
    """
    opened, high, low, closed = (value / 10**scale for value, scale in ticks[:4])
    ratio = round(high / low)
    if ratio < 2 or ratio > _MAX_SPLIT or abs(high / low / ratio - 1) > _NEAR:
        return None
    return ratio if all(price > high * (1 - _NEAR) or price < low * (1 + _NEAR) for price in (opened, closed)) else None
