"""Each figure's definition in words, printed beside it."""

from __future__ import annotations


def texts(periods: int, risk_free: float) -> dict[str, str]:
    """Return the convention of each figure, for `periods` sessions a year and an annual risk-free rate."""
    rf = f"rf {risk_free:g} a year = (1 + rf)^(1/{periods}) - 1 a day"
    closing = "a closing fill: one that reduces a position; its profit is against the average cost, costs included"
    return {
        "final_equity": "equity at the last session's close, in the dataset's currency",
        "total_return": "E_end / E_0 - 1; E_0 is the starting cash",
        "cagr": "(E_end / E_0)^(365.25 / calendar days from first to last session) - 1; -1 when nothing is left",
        "volatility": f"std(daily simple returns, ddof=1) x sqrt({periods})",
        "sharpe": f"mean(r - rf) / std(r - rf, ddof=1) x sqrt({periods}); {rf}",
        "sortino": f"mean(r - mar) x {periods} / (sqrt(mean(min(r - mar, 0)^2)) x sqrt({periods})), "
        f"mean over all days; mar = {rf}",
        "calmar": "CAGR / |maximum drawdown|",
        "max_drawdown": "min(E / cummax(E) - 1) of daily closes, the starting cash included; a fraction <= 0",
        "max_drawdown_days": "calendar days from the peak of the maximum drawdown to its recovery, or to the end",
        "bar_max_drawdown": "the same of the equity at every bar's close",
        "skewness": "third standardised moment of daily returns, population form",
        "kurtosis": "fourth standardised moment of daily returns, population form (Pearson: normal = 3)",
        "psr": "probability that the true Sharpe ratio is above 0 (Bailey and Lopez de Prado 2012), "
        "from the Sharpe ratio that is not annualised and Pearson kurtosis",
        "trades": "number of fills",
        "closed_trades": f"number of closing fills ({closing})",
        "win_rate": f"closing fills with a profit above 0 / all closing fills ({closing}; dividends not counted)",
        "profit_factor": "sum of the profits of closing fills / sum of their losses",
        "average_trade": "mean profit of a closing fill, in currency",
        "turnover": f"traded value / mean daily equity x {periods} / sessions",
        "exposure_gross": "mean over sessions of (value of longs + value of shorts) / equity, at the close",
        "exposure_net": "mean over sessions of (value of longs - value of shorts) / equity, at the close",
        "commission": "sum of commissions, in currency",
        "slippage": "sum of |quantity| x |price - open|, in currency",
        "borrow_fee": "fees paid for the shares of short positions, in currency",
        "costs": "commission + slippage + borrow fee",
        "interest": "interest received on cash, negative if more was paid on debt, in currency; not among the costs",
        "margin_calls": "times that an account was below its maintenance margin and had to trade at the next open",
    }
