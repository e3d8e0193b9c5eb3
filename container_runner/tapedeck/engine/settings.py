"""How decisions become fills: sizing, rhythm, accounts, costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

Accounts = Literal["one", "sleeves"]
SizeAt = Literal["decision", "fill"]
Rebalance = Literal["change", "day", "month"]


class EngineError(ValueError):
    """Input that the engine cannot keep books on; the message names bar and symbol where there is one."""


@dataclass(frozen=True)
class EngineSettings:
    """Settings of a run. `cash`: at the start, in the dataset's currency; costs: in basis points of traded value.

    `accounts`: one account for all symbols, or a sleeve for each (weight 1.0 = the whole sleeve).
    `size_at`: by equity and close of the decision's bar, or by equity and price at the fill's open.
    `rebalance`: trade a target when it changes, or also at the first bar of each session or month.
    `leverage`: buys may take cash down to -(leverage - 1) x equity; the proceeds of short sales count as cash.
    """

    cash: float = 1_000_000.0
    accounts: Accounts = "one"
    size_at: SizeAt = "decision"
    rebalance: Rebalance = "change"
    leverage: float = 1.0
    fractional: bool = True
    commission_bps: float = 5.0
    slippage_bps: float = 2.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.cash) and self.cash > 0):
            raise EngineError(f"cash is a positive amount, not {self.cash}")
        if not (math.isfinite(self.leverage) and self.leverage >= 1):
            raise EngineError(f"leverage is at least 1, not {self.leverage}")
        for name in ("commission_bps", "slippage_bps"):
            if not 0 <= getattr(self, name) < 10_000:
                raise EngineError(f"{name} is at least 0 and below 10,000, not {getattr(self, name)}")
        for name, kind in (("accounts", Accounts), ("size_at", SizeAt), ("rebalance", Rebalance)):
            if getattr(self, name) not in get_args(kind):
                raise EngineError(f"{name} is one of {', '.join(get_args(kind))}, not {getattr(self, name)!r}")
