"""All figures of a run in one JSON object."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tapedeck.engine.fills import Fills
from tapedeck.market import calendar
from tapedeck.metrics import conventions, drawdown, returns, significance, trading
from tapedeck.metrics.undefined import Undefined, tell
from tapedeck.versions import METRIC_SCHEMA

Array = NDArray[np.float64]
Days = NDArray[np.int32]


def daily_equity(session: Days, values: Array) -> tuple[Days, Array]:
    """Return each session and the value at its last bar; `session` (n,) never falls. Serves net and gross value too."""
    last = np.flatnonzero(np.diff(session, append=np.int32(2**31 - 1)) != 0)
    return session[last], values[last]


def summarise(
    *,
    sessions: Days,
    equity: Array,
    start_cash: float,
    fills: Fills,
    calendar_name: str,
    risk_free: float = 0.0,
    bar_equity: Array | None = None,
    net: Array | None = None,
    gross: Array | None = None,
    borrow_fee: float = 0.0,
    interest: float = 0.0,
    margin_calls: int = 0,
) -> dict[str, object]:
    """Return a run's figures as JSON: values (None with a reason code), conventions, flags, drawdown dates, months.

    `sessions`, `equity`: (n,) at each session's close, the starting cash not among them. `risk_free`: annual.
    `bar_equity`: at every bar's close. `net`, `gross`: value held at each session's close, for the exposure.
    `borrow_fee`: paid; `interest`: received, negative if paid; both in currency. `margin_calls`: how many.
    Raises `ValueError` for an equity that is NaN or infinite.
    """
    _refuse_infinite(sessions, equity)
    periods = calendar.get(calendar_name).periods_per_year
    points = np.concatenate([[start_cash], equity])
    days = int(sessions[-1] - sessions[0]) if len(sessions) else 0
    daily = returns.Daily(points, days, periods, returns.daily_rate(risk_free, periods))
    fall = drawdown.deepest(points)
    measures = _of_equity(daily, fall) | _of_fills(fills, equity, periods, borrow_fee)
    measures["max_drawdown_days"] = partial(_duration, fall, sessions)
    measures["bar_max_drawdown"] = partial(_bar_drawdown, bar_equity, start_cash)
    measures["exposure_gross"] = partial(trading.exposure, gross, equity)
    measures["exposure_net"] = partial(trading.exposure, net, equity)
    measures["interest"], measures["margin_calls"] = lambda: interest, lambda: margin_calls
    texts = conventions.texts(periods, risk_free)
    told = {name: tell(measures[name]) if len(equity) else (None, "no_sessions") for name in texts}
    return {
        "schema": METRIC_SCHEMA,
        "periods_per_year": periods,
        "risk_free": risk_free,
        "values": {name: value for name, (value, _) in told.items()},
        "reasons": {name: reason for name, (_, reason) in told.items() if reason},
        "conventions": texts,
        "flags": _flags(points, days),
        "max_drawdown_dates": _dates(fall, sessions),
        "monthly_returns": monthly_returns(sessions, equity, start_cash),
    }


def _refuse_infinite(sessions: Days, equity: Array) -> None:
    if not np.isfinite(equity).all():
        first = int(np.flatnonzero(~np.isfinite(equity))[0])
        raise ValueError(f"the equity of {_date(int(sessions[first]))} is {equity[first]}")


def monthly_returns(sessions: Days, equity: Array, start_cash: float) -> list[dict[str, float | int | None]]:
    """Return year, month and return of each calendar month; the first is from the starting cash.

    The return is None where the month began with nothing.
    """
    ends: dict[tuple[int, int], float] = {}
    for day, value in zip(sessions.tolist(), equity.tolist(), strict=True):
        ends[(_date(day).year, _date(day).month)] = value
    months: list[dict[str, float | int | None]] = []
    before = start_cash
    for (year, month), value in ends.items():
        months.append({"year": year, "month": month, "return": value / before - 1.0 if before > 0 else None})
        before = value
    return months


def _of_equity(daily: returns.Daily, fall: drawdown.Drawdown) -> dict[str, Callable[[], float]]:
    return {
        "final_equity": lambda: float(daily.points[-1]),
        "total_return": partial(returns.total_return, daily),
        "cagr": partial(returns.cagr, daily),
        "volatility": partial(returns.volatility, daily),
        "sharpe": partial(returns.sharpe, daily),
        "sortino": partial(returns.sortino, daily),
        "calmar": partial(_calmar, daily, fall),
        "max_drawdown": lambda: fall.depth,
        "skewness": partial(returns.skewness, daily),
        "kurtosis": partial(returns.kurtosis, daily),
        "psr": partial(_psr, daily),
    }


def _of_fills(fills: Fills, equity: Array, periods: int, borrow_fee: float) -> dict[str, Callable[[], float]]:
    profits = trading.closed(fills)
    commission, slippage = float(fills.commission.sum()), float(fills.slippage.sum())
    return {
        "trades": lambda: len(fills),
        "closed_trades": lambda: len(profits),
        "win_rate": partial(trading.win_rate, profits),
        "profit_factor": partial(trading.profit_factor, profits),
        "average_trade": partial(trading.average_trade, profits),
        "turnover": partial(trading.turnover, fills, equity, periods),
        "commission": lambda: commission,
        "slippage": lambda: slippage,
        "borrow_fee": lambda: borrow_fee,
        "costs": lambda: commission + slippage + borrow_fee,
    }


def _calmar(daily: returns.Daily, fall: drawdown.Drawdown) -> float:
    if fall.depth == 0:
        raise Undefined("no_drawdown")
    return returns.cagr(daily) / abs(fall.depth)


def _psr(daily: returns.Daily) -> float:
    moments = returns.skewness(daily), returns.kurtosis(daily)
    try:
        return significance.probabilistic_sharpe(returns.daily_sharpe(daily), len(daily.returns), *moments)
    except ValueError:
        raise Undefined("no_variance") from None


def _bar_drawdown(bar_equity: Array | None, start_cash: float) -> float:
    if bar_equity is None:
        raise Undefined("not_given")
    return float(drawdown.series(bar_equity, start_cash).min(initial=0.0))


def _flags(points: Array, days: int) -> list[str]:
    flags = ["ruined"] if (points <= 0).any() else []
    return [*flags, "annualised_from_short_run"] if days < 365 else flags


def _dates(fall: drawdown.Drawdown, sessions: Days) -> dict[str, str | None]:
    """Return the deepest drawdown's dates, ISO, all None where there is no fall."""
    points = {"peak": fall.peak, "trough": fall.trough, "recovery": fall.recovery}
    if fall.depth == 0:
        return dict.fromkeys(points)
    return {name: None if at is None else _date(_day(at, sessions)).isoformat() for name, at in points.items()}


def _duration(fall: drawdown.Drawdown, sessions: Days) -> int:
    """Return the calendar days from peak to recovery, or to the last session; 0 where there is no fall."""
    end = len(sessions) if fall.recovery is None else fall.recovery
    return 0 if fall.depth == 0 else _day(end, sessions) - _day(fall.peak, sessions)


def _day(point: int, sessions: Days) -> int:
    """Return the day of a point; point 0, the starting cash, is dated the first session."""
    return int(sessions[max(point - 1, 0)])


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)
