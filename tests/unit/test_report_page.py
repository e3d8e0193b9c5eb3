"""The report's page: what it shows, and that nothing a user wrote can act in it."""

from __future__ import annotations

import html.parser
import json
from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.report import chart, figures, page
from backtest.report.facts import Facts
from backtest.report.trades import Trades
from tapedeck.engine import EngineSettings
from tapedeck.market.errors import DatasetNameError
from tapedeck.market.layout import check_symbol

EVIL = "</pre><script>alert(1)</script>\"'&"


def facts(**changes: Any) -> Facts:
    days = [date(2004, 1, 1) + timedelta(days=i) for i in range(800)]
    equity = [1000.0 + i for i in range(800)]
    result: Any = {
        "job": "j", "attempt": 1, "manifest_digest": "m", "result_digest": "r", "snapshot": "s", "bars": 799,
        "causality": "unchecked", "dropped_decisions": 1, "warnings": [EVIL],
        "started_at": "a", "first_bar_at": "b", "finished_at": "c",
        "usage": {"peak_memory_bytes": 2**20, "cpu_seconds": 1.0, "sandbox": "runsc ptrace", "reported_by": "strategy"},
        "metrics": {
            "values": {"cagr": 0.1, "sharpe": None, "max_drawdown": -0.2, "final_equity": 1799.0, "trades": 2,
                       "costs": 1.5, "volatility": 0.1, "sortino": 1.0},
            "reasons": {"sharpe": "no_variance"},
            "conventions": {"cagr": "365.25 days a year"},
            "flags": ["annualised_from_short_run"],
            "max_drawdown_dates": {"peak": "2004-02-01", "trough": "2004-03-01", "recovery": None},
            "monthly_returns": [
                {"year": 2004, "month": 11, "return": 0.1},
                {"year": 2004, "month": 12, "return": -0.5},
                {"year": 2005, "month": 1, "return": None},
            ],
        },
    }  # fmt: skip
    manifest: Any = {
        "class_name": "Crossover", "params": {"fast": 20}, "symbols": ["AAPL", EVIL], "start": "2004-01-01",
        "end": "2006-03-10", "dataset": "equities-1d", "calendar": "XNYS", "bar": "1d", "adjust": "split", "seed": 0,
        "audit": None,
        "code": {"name": "crossover.py", "digest": "d", "kind": "script", "key": "k"},
        "engine": {"version": "1", **asdict(EngineSettings(cash=1000.0))},
    }  # fmt: skip
    whole = Facts(
        manifest=manifest,
        result=result,
        sessions=days,
        equity=equity,
        drawdown=[0.0] * 800,
        trades=Trades(["symbol", "quantity"], [["AAPL", "1"], [EVIL, "2"]], [], 2),
        trades_etag="",
        actions=[{"symbol": "AAPL", "session": "2005-02-28", "kind": "split", "value": 2.0}],
        margin_calls=[],
        code=f"print('{EVIL}')",
        log=[{"stream": "stdout", "text": EVIL}],
        equity_csv=b"",
    )
    return replace(whole, **changes)


class Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)


def test_what_users_wrote_is_shown_and_cannot_act() -> None:
    text = page.render(facts())
    tags = Tags()
    tags.feed(text)
    assert "script" not in tags.seen
    assert text.count("&lt;script&gt;") >= 5
    assert "default-src 'none'" in text


@pytest.mark.parametrize("name", ["=1+1", "+A", "@A", "\tA", "A,B", 'A"', "-A(1)", "-A|B", "-A!B1", "A\nB"])
def test_no_symbol_is_a_formula_or_breaks_a_row_of_the_csv(name: str) -> None:
    with pytest.raises(DatasetNameError):
        check_symbol(name)


def test_a_missing_metric_says_why() -> None:
    shown = figures.figure("sharpe", facts().result["metrics"])
    assert (shown.text, shown.note) == ("n/a", "not defined: no_variance")


def test_the_json_beside_the_page_keeps_every_digit() -> None:
    body = json.loads(page.as_json(facts(equity=[1000.0 + i / 3 for i in range(800)])))
    assert body["equity"][1]["equity"] == 1000.0 + 1 / 3


def test_monthly_returns_compound_to_the_years() -> None:
    years = figures.monthly(facts().result["metrics"]["monthly_returns"])
    assert [y.year for y in years] == [2004, 2005]
    assert [c.text for c in years[0].cells[9:]] == ["", "10.0%", "-50.0%"]
    assert years[0].total.text == "-45.0%"
    assert years[1].cells[0].text == ""


def test_flags_and_the_deepest_drawdown_stand_before_the_figures() -> None:
    text = page.render(facts())
    assert "annual figures are extrapolated" in text
    assert "from 2004-02-01 to 2004-03-01, not recovered by the end" in text


def test_costs_and_market_are_printed_and_margin_calls_listed() -> None:
    plain = page.render(facts())
    assert "commission 5 bps of traded value; slippage 2 bps of the price" in plain
    assert "no margin calls" in plain and "<h2>Margin calls</h2>" not in plain
    known = facts()
    settings = EngineSettings(commission_minimum=1.0, volume_cap=0.1, borrow_fee_annual=0.03, maintenance_margin=0.25)
    traded = [{"symbol": EVIL, "quantity": -133.333, "price": 6.0}]
    call = {"time": "2005-01-03T00:00:00Z", "session": "2005-01-03", "account": None, "equity": 200.0, "held": 1200.0}
    manifest: Any = {**known.manifest, "engine": {"version": "1", **asdict(settings)}}
    shown = page.render(facts(manifest=manifest, margin_calls=[{**call, "traded": traded}] * 300))
    for text in (
        "at least 1 an order", "a bar takes 10 % of its volume", "borrow fee 3 % of the value held short, a year",
        "equity of at least 25 % of the value held", "300 in all; the first 200 are shown", "1,200.00",
        "-133.33 &lt;/pre",
    ):  # fmt: skip
        assert text in shown, text


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=400), st.integers(4, 50))
def test_thinning_keeps_both_ends_and_both_extremes(values: list[float], most: int) -> None:
    kept = chart.thin(len(values), values, most)
    assert kept[0] == 0
    assert kept[-1] == len(values) - 1
    assert max(values[i] for i in kept) == max(values)
    assert min(values[i] for i in kept) == min(values)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-0.5, 0.0), (999_000.0, 2_400_000.0), (3.0, 3.0)])
def test_ticks_are_few_and_within_the_range(low: float, high: float) -> None:
    marks = chart.ticks(low, high)
    assert 1 <= len(marks) <= 7
    assert all(low <= m <= high for m in marks)


def test_a_flat_or_empty_curve_is_still_a_chart() -> None:
    day = date(2004, 1, 2)
    assert "<svg" in chart.line(chart.Series([day, day], [1.0, 1.0]), label="x", unit="money")
    assert "No sessions" in chart.line(chart.Series([], []), label="x", unit="money")


@pytest.mark.parametrize("audit", [None, {"cuts": 8}])
@pytest.mark.parametrize("found", ["audited", "leaked", "unchecked", "by_construction"])
def test_the_page_says_what_is_known_of_looking_ahead_and_shows_a_leak_as_a_loss(found: str, audit: Any) -> None:
    known = facts()
    manifest: Any = {**known.manifest, "audit": audit}
    result: Any = {**known.result, "causality": found}
    shown = page.render(replace(known, manifest=manifest, result=result))
    assert f"causality: {found}" in shown and f'<td class="text">{found}: ' in shown
    assert ('class="badge loss"' in shown) == (found == "leaked")
