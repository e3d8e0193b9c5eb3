"""A figure that does not exist: it becomes null with a reason code, never 0, NaN or infinity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Reason = Literal[
    "fewer_than_2_returns",
    "no_variance",
    "no_losses",  # no return below the minimum acceptable one: nothing to divide by
    "no_drawdown",
    "ruined",  # the equity fell to zero or below: returns after that have no meaning
    "shorter_than_a_day",
    "no_closed_trades",
    "no_losing_trades",
    "no_sessions",
    "not_given",  # the caller did not hand in what the figure needs
    "not_finite",
]


class Undefined(Exception):  # noqa: N818 - it is a value's absence, not an error
    """The figure is not defined; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def tell(measure: Callable[[], float]) -> tuple[float | None, Reason | None]:
    """Return a figure, or None and the reason."""
    try:
        value = float(measure())
    except Undefined as undefined:
        return None, undefined.reason
    if value - value != 0:  # NaN or infinite
        return None, "not_finite"
    return value, None
