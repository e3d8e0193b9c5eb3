"""Numbers as a reader meets them: labels, units, tone. The JSON beside the page keeps every digit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# Metric name -> (label, unit). Names that are not listed are shown under their own name, as plain numbers.
LABELS = {
    "cagr": ("CAGR", "fraction"),
    "sharpe": ("Sharpe", "number"),
    "max_drawdown": ("Maximum drawdown", "fraction"),
    "volatility": ("Volatility", "fraction"),
    "sortino": ("Sortino", "number"),
    "calmar": ("Calmar", "number"),
    "total_return": ("Total return", "fraction"),
    "final_equity": ("Final equity", "money"),
    "trades": ("Trades", "count"),
    "costs": ("Costs paid", "money"),
    "commission": ("Commission", "money"),
    "slippage": ("Slippage", "money"),
    "turnover": ("Turnover a year", "number"),
    "win_rate": ("Win rate", "fraction"),
    "exposure_gross": ("Gross exposure", "fraction"),
    "exposure_net": ("Net exposure", "fraction"),
}
HEADLINE = ("cagr", "sharpe", "max_drawdown", "final_equity", "volatility", "sortino", "trades", "costs")


@dataclass(frozen=True)
class Figure:
    """A number as text; `tone` is a CSS class ("gain", "loss" or none), `note` its convention or why it is missing."""

    label: str
    text: str
    tone: str
    note: str


@dataclass(frozen=True)
class Year:
    """A row of the table of monthly returns."""

    year: int
    cells: list[Figure]
    total: Figure


def figure(name: str, metrics: Mapping[str, Any]) -> Figure:
    """Return metric `name` of `tapedeck.metrics` for a reader."""
    label, unit = LABELS.get(name, (name.replace("_", " ").capitalize(), "number"))
    value = metrics["values"].get(name)
    if value is None:
        return Figure(label, "n/a", "quiet", f"not defined: {metrics['reasons'].get(name, 'not computed')}")
    tone = ("gain" if value > 0 else "loss") if unit == "fraction" and name in ("cagr", "total_return") else ""
    return Figure(label, text(value, unit), tone, metrics["conventions"].get(name, ""))


def text(value: float, unit: str) -> str:
    """Return `value` (a fraction, money, a count or a plain number) as text."""
    match unit:
        case "fraction":
            return f"{value:.2%}"
        case "money":
            return f"{value:,.2f}"
        case "count":
            return f"{value:,.0f}"
        case _:
            return f"{value:,.4g}"


def monthly(sessions: Sequence[date], equity: Sequence[float]) -> list[Year]:
    """Return the returns of calendar months and years, from daily `equity` whose first point is the starting cash."""
    ends: dict[tuple[int, int], float] = {}
    for session, value in zip(sessions, equity, strict=True):
        ends[session.year, session.month] = value
    returns: dict[tuple[int, int], float] = {}
    before = equity[0] if equity else 0.0
    for month, value in ends.items():
        returns[month] = value / before - 1.0 if before > 0 else 0.0
        before = value
    rows = []
    for year in sorted({y for y, _ in returns}):
        total = 1.0
        for (y, _), r in returns.items():
            total *= 1.0 + r if y == year else 1.0
        rows.append(Year(year, [_cell(returns.get((year, m))) for m in range(1, 13)], _cell(total - 1.0)))
    return rows


def _cell(value: float | None) -> Figure:
    if value is None:
        return Figure("", "", "", "")
    return Figure("", f"{value:.1%}", "gain" if value > 0 else "loss" if value < 0 else "", "")
