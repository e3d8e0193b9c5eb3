"""Numbers as a reader meets them: labels, units, tone. The JSON beside the page keeps every digit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    "borrow_fee": ("Borrow fee", "money"),
    "interest": ("Interest", "money"),
    "margin_calls": ("Margin calls", "count"),
    "turnover": ("Turnover a year", "number"),
    "win_rate": ("Win rate", "fraction"),
    "exposure_gross": ("Gross exposure", "fraction"),
    "exposure_net": ("Net exposure", "fraction"),
    "max_drawdown_days": ("Longest way back from the maximum drawdown, days", "count"),
    "bar_max_drawdown": ("Maximum drawdown, bar by bar", "fraction"),
    "closed_trades": ("Closing fills", "count"),
    "profit_factor": ("Profit factor", "number"),
    "average_trade": ("Average trade", "money"),
    "psr": ("Probabilistic Sharpe", "fraction"),
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


def monthly(months: Sequence[Mapping[str, Any]]) -> list[Year]:
    """Return the table of `monthly_returns` (year, month, return or None); a year's total compounds its months."""
    returns = {(m["year"], m["month"]): m["return"] for m in months}
    rows = []
    for year in sorted({y for y, _ in returns}):
        cells = [returns.get((year, month)) for month in range(1, 13)]
        total = math.prod(1.0 + r for r in cells if r is not None) - 1.0
        rows.append(Year(year, [_cell(r) for r in cells], _cell(total)))
    return rows


def trade_cell(cell: str) -> str:
    """Return a cell of the trades as a reader wants it: numbers with six digits, everything else as it is."""
    try:
        value = float(cell)
    except ValueError:
        return cell
    return f"{value:,.2f}" if abs(value) >= 1e4 else f"{value:.6g}"


def _cell(value: float | None) -> Figure:
    if value is None:
        return Figure("", "", "", "")
    return Figure("", f"{value:.1%}", "gain" if value > 0 else "loss" if value < 0 else "", "")
