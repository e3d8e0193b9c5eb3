"""Splits and dividends out of what vendors publish of them: adjusted closes, or LEAN's factor files.

Factors are rounded, so each is an interval, and what follows from them is too: a split is the simplest ratio in its
interval, a dividend the shortest decimal in its.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise
from math import log

from tapedeck.market.actions import Dividend, Split
from tapedeck.market.calendar import Calendar
from tapedeck.market.vendor.actions import Actions
from tapedeck.market.vendor.bar import AdjustedClose, Rounded

_NOISE = 1e-9  # relative; vendors compute in floating point
_SMALL_TERM, _LARGE_TERM = 4, 100  # a split is p:q with one term up to the small bound and none over the large one
FACTOR_DECIMALS = 7  # LEAN prints as many, and no trailing zeros after round split factors
_FACTOR_NOISE = 2e-4  # relative; chained split factors gather rounding errors: AOL's 1999 split is 2.00029 by them
_COMBINED_DIVIDEND = 0.03  # of the close: what a split's own session may pay besides


@dataclass(frozen=True)
class Interval:
    """Where a positive number lies."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """The middle."""
        return (self.low + self.high) / 2

    def over(self, other: Interval) -> Interval:
        """Return where the quotient lies."""
        return Interval(self.low / other.high, self.high / other.low)

    def meet(self, other: Interval) -> Interval | None:
        """Return what both have in common, None when nothing."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Interval(low, high) if low <= high else None


@dataclass(frozen=True)
class FactorRow:
    """A row of a factor file: it holds for dates up to and including `upto`; `reference` is that date's raw close."""

    upto: date
    price: Rounded
    split: Rounded
    reference: float


@dataclass(frozen=True)
class _Jump:
    """A change of adjusted / raw: at `session`, the close before it, the ratio new / old."""

    session: date
    close_before: float
    close: float
    ratio: Interval
    earliest: date  # rounding may hide the change from this session on


def from_factors(symbol: str, rows: Sequence[FactorRow], calendar: Calendar) -> Actions:
    """Return the actions of a factor file, all that the symbol has.

    They take effect the session after their rows' dates. Raises CalendarError for a date past the calendar's end.
    """
    splits, dividends, notes = [], [], []
    ordered = sorted(rows, key=lambda row: row.upto)
    for row, after in pairwise(ordered):
        if row.upto < calendar.first or (row.split == after.split and row.price == after.price):
            continue
        session = calendar.next_session(row.upto)
        if row.split != after.split:
            splits.append(Split(symbol, session, _printed_ratio(after.split.value / row.split.value)))
        if row.price != after.price:
            if row.reference <= 0 or row.price.value > after.price.value:
                notes.append(
                    f"{session}: the price factor changes from {row.price.value} to {after.price.value}: unused"
                )
                continue
            dividends.append(Dividend(symbol, session, _dividend(row.reference, _kept(row, after))))
    return Actions(tuple(splits), tuple(dividends), notes=tuple(notes))


def _printed_ratio(ratio: float) -> float:
    exact = simplest(_around(Rounded(ratio, ratio * _FACTOR_NOISE)))
    return float(exact) if _is_simple(exact) else round(ratio, 6)


def _kept(row: FactorRow, after: FactorRow) -> Interval:
    return _around(row.price).over(_around(after.price))


def from_adjusted(symbol: str, closes: Sequence[AdjustedClose]) -> Actions:
    """Return the actions between the first and the last of these closes (ascending, at least one).

    The factor adjusted / raw is constant between actions. A jump is a split where it is a simple ratio and the raw
    price jumps with it; what is left of it is a dividend. Before the first close nothing can be told.
    """
    splits, dividends, notes = [], [], []
    for jump in _jumps(closes):
        if jump.earliest < jump.session:
            notes.append(f"{jump.session}: by the rounding it may have been at {jump.earliest} already")
        ratio = _split_ratio(jump)
        if ratio is not None:
            splits.append(Split(symbol, jump.session, float(ratio)))
        rest = Interval(jump.ratio.low / float(ratio or 1), jump.ratio.high / float(ratio or 1))
        if rest.low <= 1 <= rest.high:
            continue
        if rest.high < 1:
            notes.append(f"{jump.session}: adjusted to raw falls to {rest.middle:.6f} of itself: unused")
            continue
        kept = Interval(1 / rest.high, 1 / rest.low)
        dividends.append(Dividend(symbol, jump.session, _dividend(jump.close_before, kept)))
    return Actions(tuple(splits), tuple(dividends), closes[0].session, closes[-1].session, tuple(notes))


def _jumps(closes: Sequence[AdjustedClose]) -> list[_Jump]:
    """Cut the sessions into runs of one factor, each as long as the rounding allows; return the changes."""
    factors = [_around(row.adjusted).over(Interval(row.close, row.close)) for row in closes]
    begins, runs = [0], [factors[0]]
    for at, factor in enumerate(factors[1:], 1):
        common = runs[-1].meet(factor)
        if common:
            runs[-1] = common
        else:
            begins.append(at)
            runs.append(factor)
    jumps = []
    for begin, before, after in zip(begins[1:], runs, runs[1:], strict=False):
        earliest = begin
        while earliest > 1 and factors[earliest - 1].meet(after):
            earliest -= 1
        jumps.append(
            _Jump(
                session=closes[begin].session,
                close_before=closes[begin - 1].close,
                close=closes[begin].close,
                ratio=after.over(before),
                earliest=closes[earliest].session,
            )
        )
    return jumps


def _split_ratio(jump: _Jump) -> Fraction | None:
    exact = simplest(jump.ratio)
    candidates = [exact] if _is_simple(exact) else []
    for usual in (Fraction(int(jump.ratio.high)), Fraction(3, 2)):
        if usual > 1 and 0 <= 1 - float(usual) / jump.ratio.middle <= _COMBINED_DIVIDEND:
            candidates.append(usual)
    raw = jump.close / jump.close_before
    for ratio in candidates:
        if abs(log(raw * float(ratio))) < abs(log(raw)):
            return ratio
    return None


def _is_simple(ratio: Fraction) -> bool:
    small, large = sorted((ratio.numerator, ratio.denominator))
    return ratio != 1 and small <= _SMALL_TERM and large <= _LARGE_TERM


def _dividend(close: float, kept: Interval) -> float:
    """Return close * (1 - kept) as the shortest decimal that lies in its interval (at most 6 decimals)."""
    low, high = close * (1 - kept.high), close * (1 - kept.low)
    for decimals in range(2, 6):
        amount = round((low + high) / 2, decimals)
        if low <= amount <= high:
            return amount
    return round((low + high) / 2, 6)


def simplest(interval: Interval) -> Fraction:
    """Return the fraction with the smallest terms in a positive interval (a walk down the Stern-Brocot tree)."""
    return _simplest(Fraction(interval.low), Fraction(interval.high))


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    whole = -(-low.numerator // low.denominator)  # rounded up
    if whole <= high:
        return Fraction(whole)
    below = whole - 1
    return below + 1 / _simplest(1 / (high - below), 1 / (low - below))


def _around(printed: Rounded) -> Interval:
    low, high = max(printed.value - printed.half, printed.value / 2), printed.value + printed.half
    return Interval(low * (1 - _NOISE), high * (1 + _NOISE))
