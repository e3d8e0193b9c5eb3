"""A run's page: facts in, one self-contained HTML file out."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from backtest.report import chart, figures
from backtest.report.facts import Facts
from tapedeck.ranges import in_words

CALLS_SHOWN = 200
ACTIONS_SHOWN = 1000


def render(facts: Facts) -> str:
    """Return the page. Everything that a user or a strategy wrote is escaped; the page runs no script."""
    metrics: dict[str, Any] = facts.result["metrics"]
    rows = facts.trades.first + facts.trades.last
    return _template().render(
        title=facts.manifest["class_name"] or Path(facts.manifest["code"]["name"]).stem,
        status="COMPLETED",
        manifest=facts.manifest,
        result=facts.result,
        notes=notes(metrics),
        headline=[figures.figure(name, metrics) for name in figures.HEADLINE],
        metrics=[figures.figure(name, metrics) for name in metrics["values"]],
        equity_chart=chart.line(chart.Series(facts.sessions, facts.equity), label="Equity", unit="money"),
        drawdown_chart=chart.area(chart.Series(facts.sessions, facts.drawdown), label="Drawdown", unit="fraction"),
        months=figures.MONTHS,
        monthly=figures.monthly(metrics["monthly_returns"]),
        trades={
            "columns": facts.trades.columns,
            "rows": [[figures.trade_cell(cell) for cell in row] for row in rows],
            "total": facts.trades.total,
        },
        actions=facts.actions[:ACTIONS_SHOWN],
        actions_total=len(facts.actions),
        calls=[called(call) for call in facts.margin_calls[:CALLS_SHOWN]],
        calls_total=len(facts.margin_calls),
        code=facts.code,
        log=facts.log,
        facts=run_facts(facts),
    )


def called(call: dict[str, Any]) -> dict[str, str]:
    """Return a margin call as the page shows it."""
    traded = [f"{t['quantity']:+,.2f} {t['symbol']} at {t['price']:,.2f}" for t in call["traded"]]
    return {
        "time": call["time"],
        "account": call["account"] or "the one account",
        "equity": f"{call['equity']:,.2f}",
        "held": f"{call['held']:,.2f}",
        "traded": ", ".join(traded),
    }


def notes(metrics: dict[str, Any]) -> list[str]:
    """Return what a reader must know before the figures: flags, and when the deepest drawdown was."""
    said = {
        "ruined": "The equity fell to nothing or below.",
        "annualised_from_short_run": "The run is shorter than a year: annual figures are extrapolated.",
    }
    lines = [said.get(flag, flag) for flag in metrics["flags"]]
    calls = metrics["values"].get("margin_calls")
    if calls:
        lines.append(f"Margin calls: {calls}. They are listed below the trades.")
    fall = metrics["max_drawdown_dates"]
    if fall["peak"]:
        back = f"recovered on {fall['recovery']}" if fall["recovery"] else "not recovered by the end"
        lines.append(f"Deepest drawdown: from {fall['peak']} to {fall['trough']}, {back}.")
    return lines


def as_json(facts: Facts) -> bytes:
    """Return the report's numbers as JSON, unrounded; of the trades those that the page shows."""
    body = {
        "manifest": facts.manifest,
        "result": facts.result,
        "equity": [
            {"session": s.isoformat(), "equity": e, "drawdown": d}
            for s, e, d in zip(facts.sessions, facts.equity, facts.drawdown, strict=True)
        ],
        "trades": asdict(facts.trades),
        "actions": facts.actions,
        "margin_calls": facts.margin_calls,
    }
    return json.dumps(body, allow_nan=False, sort_keys=True).encode()


def run_facts(facts: Facts) -> list[tuple[str, str]]:
    """Return what a reader needs to repeat the run and to trust it."""
    manifest, result, engine = facts.manifest, facts.result, facts.manifest["engine"]
    usage = result["usage"]
    peak, cpu = usage["peak_memory_bytes"], usage["cpu_seconds"]
    said = " (reported by the strategy's container)" if usage["reported_by"] == "strategy" else ""
    return [
        ("Job", f"{result['job']}, attempt {result['attempt']}"),
        ("Run manifest", result["manifest_digest"]),
        ("Result digest", result["result_digest"]),
        ("Snapshot", result["snapshot"]),
        ("Calendar and bar", f"{manifest['calendar']}, {manifest['bar']}; {result['bars']:,} bars a symbol"),
        ("Prices", f"signals adjusted “{manifest['adjust']}” forward from the first bar; books on raw prices"),
        ("Fills", f"next bar's open, sized at the {engine['size_at']}, rebalanced on {engine['rebalance']}"),
        ("Account", f"{engine['accounts']}, cash {engine['cash']:,.2f}, leverage {engine['leverage']:g}"),
        *in_words(engine),
        ("Engine", engine["version"]),
        ("Causality", causality(facts)),
        ("Dropped decisions", f"{result['dropped_decisions']} (a decision on the last bar has no next open)"),
        ("Seed", str(manifest["seed"])),
        ("Sandbox", usage["sandbox"] or "not stated"),
        ("Peak memory", f"{peak / 2**20:,.0f} MiB{said}" if peak else "not stated"),
        ("CPU time", f"{cpu:,.2f} s{said}" if cpu is not None else "not stated"),
        ("Started, first bar, finished", f"{result['started_at']}, {result['first_bar_at']}, {result['finished_at']}"),
    ]


def causality(facts: Facts) -> str:
    """Return what is known of the run's looking ahead, and how."""
    asked, found = facts.manifest["audit"], facts.result["causality"]
    how = {
        "by_construction": "handed one bar at a time",
        "audited": f"replayed on data that ends early, at {asked['cuts'] if asked else 0} bars: the same decisions",
        "leaked": "replayed on data that ends early, a decision before the end was another: see the warning above",
        "unchecked": "an audit came to no verdict: see the warning above" if asked else "no audit was asked for",
    }
    return f"{found}: {how[found]}"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("page.html.j2")
