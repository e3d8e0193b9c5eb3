"""Line and area charts as inline SVG: no script, no dependency, a few ten kilobytes a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

WIDTH, HEIGHT = 960, 300
LEFT, RIGHT, TOP, BOTTOM = 72, 16, 12, 28
MAX_POINTS = 1500


@dataclass(frozen=True)
class Series:
    """Values by session; `values` has the same length as `sessions`."""

    sessions: Sequence[date]
    values: Sequence[float]


def line(series: Series, *, label: str, unit: str) -> Markup:
    """Return a line chart of `series`; `unit` is "money" or "fraction"."""
    return _chart(series, label=label, unit=unit, filled=False)


def area(series: Series, *, label: str, unit: str) -> Markup:
    """Return an area chart between zero and `series`."""
    return _chart(series, label=label, unit=unit, filled=True)


def thin(count: int, values: Sequence[float], most: int = MAX_POINTS) -> list[int]:
    """Return the indices to draw: first, last, and each bucket's least and greatest, so that no extreme is lost."""
    if count <= most:
        return list(range(count))
    buckets = most // 2
    kept = {0, count - 1}
    for b in range(buckets):
        span = range(b * count // buckets, (b + 1) * count // buckets)
        kept.add(min(span, key=values.__getitem__))
        kept.add(max(span, key=values.__getitem__))
    return sorted(kept)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round values (1, 2 or 5 times a power of ten apart) within [low, high]."""
    if not high > low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    first = math.ceil(low / step)
    return [i * step for i in range(first, math.floor(high / step) + 1)]


def _chart(series: Series, *, label: str, unit: str, filled: bool) -> Markup:
    if not series.sessions:
        return Markup('<p class="quiet">No sessions to draw.</p>')
    low, high = min(series.values), max(series.values)
    if filled:
        low, high = min(low, 0.0), max(high, 0.0)
    if high == low:
        low, high = low - abs(low) * 0.01 - 1e-9, high + abs(high) * 0.01 + 1e-9
    count = len(series.values)

    def x(i: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (i / max(count - 1, 1))

    def y(v: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - v) / (high - low)

    points = [f"{x(i):.1f},{y(series.values[i]):.1f}" for i in thin(count, series.values)]
    shape = Markup('<polyline class="line" points="{}"/>').format(" ".join(points))
    if filled:
        ends = [f"{x(0):.1f},{y(0.0):.1f}", *points, f"{x(count - 1):.1f},{y(0.0):.1f}"]
        shape = Markup('<polygon class="area" points="{}"/>').format(" ".join(ends)) + shape
    return (
        Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, HEIGHT, label)
        + Markup("").join(_level(y(v), _text(v, unit)) for v in ticks(low, high))
        + Markup("").join(_instant(x(i), text) for i, text in _dates(series.sessions))
        + shape
        + Markup("</svg>")
    )


def _level(y: float, text: str) -> Markup:
    return Markup(
        '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/><text x="{}" y="{:.1f}" class="y">{}</text>'
    ).format(LEFT, WIDTH - RIGHT, y, y, LEFT - 8, y + 4, text)


def _instant(x: float, text: str) -> Markup:
    return Markup(
        '<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/><text x="{0:.1f}" y="{3}" class="x">{4}</text>'
    ).format(x, TOP, HEIGHT - BOTTOM, HEIGHT - 8, text)


def _dates(sessions: Sequence[date]) -> list[tuple[int, str]]:
    """Return at most ten (index, text): the first session of a year, or of a month in a run under two years."""
    years = (sessions[-1] - sessions[0]).days > 730

    def period(d: date) -> tuple[int, ...]:
        return (d.year,) if years else (d.year, d.month)

    starts = [i for i in range(1, len(sessions)) if period(sessions[i]) != period(sessions[i - 1])]
    every = max(1, math.ceil(len(starts) / 10))
    return [(i, f"{sessions[i]:%Y}" if years else f"{sessions[i]:%b %Y}") for i in starts[::every]]


def _text(value: float, unit: str) -> str:
    if unit == "fraction":
        return f"{value * 100:.4g}%"
    if abs(value) >= 1e6:
        return f"{value / 1e6:.4g}M"
    return f"{value / 1e3:.4g}k" if abs(value) >= 1e4 else f"{value:.4g}"
