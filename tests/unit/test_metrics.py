"""Every figure by its pinned convention: closed forms, empyrical-reloaded as oracle, null with a reason."""

from __future__ import annotations

import json
import math
import warnings
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapedeck import metrics
from tapedeck.engine.fills import from_rows

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own imports warn, not ours
    import empyrical

CASH = 1_000_000.0
EPOCH = date(1970, 1, 1)


def days(first: date, count: int) -> Any:
    """Weekdays from `first` on, as days since 1970."""
    start = np.busday_offset(np.datetime64(first), 0, roll="forward")
    return np.busday_offset(start, np.arange(count)).astype("datetime64[D]").astype(np.int32)


def walk(count: int, seed: int = 1, drift: float = 0.0005) -> Any:
    rng = np.random.default_rng(seed)
    return CASH * np.cumprod(1 + rng.normal(drift, 0.01, count))


def fills(*rows: tuple[float, float, float]) -> Any:
    """Fills of (quantity, price, realised), 1 commission and 2 slippage each."""
    return from_rows([(0, 0, 0, quantity, price, price, 1.0, 2.0, realised) for quantity, price, realised in rows])


def summarise(equity: Any, **options: Any) -> dict[str, Any]:
    equity = np.array(equity, dtype=np.float64)
    given: dict[str, Any] = {
        "sessions": days(date(2010, 1, 4), len(equity)),
        "equity": equity,
        "start_cash": CASH,
        "fills": fills(),
        "calendar_name": "XNYS",
    }
    made: dict[str, Any] = metrics.summarise(**given | options)
    assert json.loads(json.dumps(made, allow_nan=False)) == made  # not rounded, no NaN, no Infinity
    assert set(made["values"]) == set(made["conventions"])
    assert {name for name, value in made["values"].items() if value is None} == set(made["reasons"])
    return made


@given(seed=st.integers(0, 1000), count=st.integers(3, 800))
def test_empyrical_agrees_to_1e_12_on_sharpe_volatility_sortino_and_drawdown(seed: int, count: int) -> None:
    equity = walk(count, seed)
    returns = np.diff(equity, prepend=CASH) / np.concatenate([[CASH], equity[:-1]])
    values = summarise(equity)["values"]
    assert values["sharpe"] == pytest.approx(empyrical.sharpe_ratio(returns), rel=1e-12, abs=1e-12)
    assert values["volatility"] == pytest.approx(empyrical.annual_volatility(returns), rel=1e-12)
    if values["sortino"] is not None:
        assert values["sortino"] == pytest.approx(empyrical.sortino_ratio(returns), rel=1e-10, abs=1e-12)
    assert values["max_drawdown"] == pytest.approx(empyrical.max_drawdown(returns), rel=1e-12, abs=1e-12)


def test_cagr_is_its_closed_form_by_calendar_days() -> None:
    made = summarise(walk(600), sessions=days(date(2010, 1, 4), 600))
    span = int(days(date(2010, 1, 4), 600)[-1] - days(date(2010, 1, 4), 600)[0])
    assert made["values"]["cagr"] == (walk(600)[-1] / CASH) ** (365.25 / span) - 1
    assert made["values"]["calmar"] == made["values"]["cagr"] / -made["values"]["max_drawdown"]
    assert made["flags"] == []


def test_a_run_of_less_than_a_year_is_flagged() -> None:
    assert summarise(walk(100))["flags"] == ["annualised_from_short_run"]


def test_periods_a_year_come_from_the_calendar_and_are_told() -> None:
    exchange, always = summarise(walk(300)), summarise(walk(300), calendar_name="24/7")
    assert (exchange["periods_per_year"], always["periods_per_year"]) == (252, 365)
    assert always["values"]["sharpe"] == pytest.approx(exchange["values"]["sharpe"] * math.sqrt(365 / 252), rel=1e-12)
    assert "sqrt(365)" in always["conventions"]["sharpe"]


def test_the_risk_free_rate_is_annual_and_compounded_down() -> None:
    equity = walk(300)
    returns = np.diff(equity, prepend=CASH) / np.concatenate([[CASH], equity[:-1]])
    made = summarise(equity, risk_free=0.04)
    excess = returns - (1.04 ** (1 / 252) - 1)
    assert made["values"]["sharpe"] == pytest.approx(excess.mean() / excess.std(ddof=1) * 252**0.5, rel=1e-12)
    assert "rf 0.04 a year" in made["conventions"]["sharpe"]


def test_a_loss_on_the_first_day_counts_in_the_drawdown() -> None:
    made = summarise([0.9 * CASH, 0.95 * CASH, 1.1 * CASH])
    assert made["values"]["max_drawdown"] == pytest.approx(-0.1)
    assert made["max_drawdown_dates"] == {"peak": "2010-01-04", "trough": "2010-01-04", "recovery": "2010-01-06"}
    assert made["values"]["max_drawdown_days"] == 2


def test_the_drawdowns_dates_are_those_of_peak_trough_and_recovery() -> None:
    made = summarise(np.array([1.0, 1.2, 1.2, 1.0, 0.9, 1.1, 1.2, 1.0]) * CASH)
    assert made["values"]["max_drawdown"] == pytest.approx(-0.25)
    assert made["max_drawdown_dates"] == {"peak": "2010-01-06", "trough": "2010-01-08", "recovery": "2010-01-12"}
    assert made["values"]["max_drawdown_days"] == 6
    made = summarise(np.array([1.2, 0.9, 1.0]) * CASH)
    assert made["max_drawdown_dates"]["recovery"] is None
    assert made["values"]["max_drawdown_days"] == 2


@pytest.mark.parametrize(
    ("equity", "name", "reason"),
    [
        ([], "sharpe", "no_sessions"),
        ([CASH], "sharpe", "fewer_than_2_returns"),
        ([CASH], "cagr", "shorter_than_a_day"),
        ([CASH] * 5, "sharpe", "no_variance"),
        (CASH * 1.001 ** np.arange(1, 9), "sharpe", "no_variance"),
        ([CASH] * 5, "calmar", "no_drawdown"),
        ([CASH, 1.1 * CASH, 1.3 * CASH], "sortino", "no_losses"),
        ([CASH, -1.0, CASH], "sharpe", "ruined"),
        ([CASH, CASH], "win_rate", "no_closed_trades"),
        ([CASH, CASH], "exposure_gross", "not_given"),
        ([CASH, CASH], "bar_max_drawdown", "not_given"),
        ([CASH, 1e300], "cagr", "not_finite"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # an overflow is caused on purpose
def test_a_figure_that_does_not_exist_is_null_with_a_reason(equity: Any, name: str, reason: str) -> None:
    made = summarise(equity)
    assert made["values"][name] is None
    assert made["reasons"][name] == reason


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_equity_that_is_no_number_is_refused_with_its_day(value: float) -> None:
    with pytest.raises(ValueError, match="the equity of 2010-01-05 is"):
        summarise([CASH, value])


def test_a_ruined_account_has_a_growth_of_minus_100_percent() -> None:
    made = summarise(np.append(walk(400), -5.0))
    assert made["values"]["cagr"] == -1.0
    assert made["flags"] == ["ruined"]
    assert made["values"]["max_drawdown"] < -1


def test_trades_costs_and_turnover_are_counted_from_the_fills() -> None:
    made = summarise(
        [CASH] * 252,
        fills=fills((10, 100.0, math.nan), (-10, 110.0, 90.0), (5, 100.0, math.nan), (-5, 90.0, -60.0)),
        net=np.full(252, CASH / 2),
        gross=np.full(252, CASH / 4),
        bar_equity=np.array([CASH, CASH / 2, CASH]),
    )["values"]
    assert (made["trades"], made["closed_trades"], made["win_rate"]) == (4, 2, 0.5)
    assert (made["profit_factor"], made["average_trade"]) == (1.5, 15.0)
    assert (made["commission"], made["slippage"], made["costs"]) == (4.0, 8.0, 12.0)
    assert made["turnover"] == pytest.approx((1000 + 1100 + 500 + 450) / CASH)
    assert (made["exposure_net"], made["exposure_gross"]) == (0.5, 0.25)
    assert made["bar_max_drawdown"] == -0.5
    assert summarise([CASH, CASH], fills=fills((-1, 1.0, 2.0)))["reasons"]["profit_factor"] == "no_losing_trades"


def test_the_deflated_sharpe_ratio_is_the_papers() -> None:
    # Bailey and Lopez de Prado 2014, "The Deflated Sharpe Ratio", its numerical example.
    variance, sharpe = 0.5 / 250, 2.5 / math.sqrt(250)
    assert metrics.expected_maximum_sharpe(100, variance) == pytest.approx(0.1132, abs=5e-5)
    deflated = metrics.deflated_sharpe(sharpe, 1250, -3.0, 10.0, trials=100, variance=variance)
    assert deflated == pytest.approx(0.9004, abs=5e-5)
    assert metrics.expected_maximum_sharpe(1, variance) == 0.0


def test_psr_uses_the_daily_sharpe_ratio_and_pearson_kurtosis() -> None:
    values = summarise(walk(500))["values"]
    daily = values["sharpe"] / math.sqrt(252)
    expected = metrics.probabilistic_sharpe(daily, 500, values["skewness"], values["kurtosis"])
    assert values["psr"] == pytest.approx(expected, rel=1e-12)
    assert values["kurtosis"] == pytest.approx(3, abs=0.6)
    with pytest.raises(ValueError, match="not defined"):
        metrics.probabilistic_sharpe(1.0, 1, 0.0, 3.0)


def test_equity_is_taken_at_each_sessions_last_bar() -> None:
    sessions, equity = metrics.daily_equity(np.array([1, 1, 2, 5, 5], dtype=np.int32), np.arange(5.0))
    assert sessions.tolist() == [1, 2, 5]
    assert equity.tolist() == [1.0, 2.0, 4.0]
    assert metrics.daily_equity(np.empty(0, np.int32), np.empty(0))[0].tolist() == []


def test_monthly_returns_begin_with_the_starting_cash_and_compound_to_the_whole() -> None:
    equity = walk(300)
    months = metrics.monthly_returns(days(date(2010, 1, 4), 300), equity, CASH)
    assert (months[0]["year"], months[0]["month"], len(months)) == (2010, 1, 14)
    assert math.prod(1 + (month["return"] or 0.0) for month in months) == pytest.approx(equity[-1] / CASH)
    assert summarise(equity)["monthly_returns"] == months


def test_the_drawdown_series_starts_from_the_cash() -> None:
    series = metrics.drawdown_series(np.array([0.9, 1.0, 2.0, 1.0]) * CASH, CASH)
    np.testing.assert_allclose(series, [-0.1, 0.0, 0.0, -0.5])
