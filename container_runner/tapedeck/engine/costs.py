"""What a fill costs: commission and slippage, each 0 where nothing is asked for.

Sources: Interactive Brokers' fixed pricing has a price a share and a minimum an order; that impact grows with the
square root of an order's share of the volume is the square-root law (Torre, BARRA 1997; Toth et al., "Anomalous price
impact and the critical nature of liquidity in financial markets", 2011).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tapedeck.engine.settings import EngineSettings

UNFILLED = -1.0  # the accrued commission of an order that has no fill yet


@dataclass(frozen=True, slots=True)
class Commission:
    """`rate`: fraction of traded value; `per_share`: currency; `minimum`: currency an order, however many its fills."""

    rate: float
    per_share: float
    minimum: float

    def accrues(self, shares: float, value: float) -> float:
        """Return what a fill adds to its order's commission, before the minimum."""
        return value * self.rate + shares * self.per_share

    def due(self, fee: float, accrued: float) -> float:
        """Return what a fill pays, `accrued`: the fees of the order's earlier fills before the minimum."""
        if accrued < 0:
            return max(fee, self.minimum)
        return max(accrued + fee, self.minimum) - max(accrued, self.minimum)


@dataclass(frozen=True, slots=True)
class Slippage:
    """`rate`: fraction of the price; `half_spread`: currency a share; `impact`: fraction at the bar's whole volume."""

    rate: float
    half_spread: float
    impact: float

    def price(self, reference: float, shares: float, volume: float) -> float:
        """Return the price of a trade of `shares`, negative for a sale, in a bar of `volume`; never below 0.

        reference x (1 +/- (rate + impact x sqrt(shares / volume))) +/- half spread.
        """
        away = self.rate + self.impact * math.sqrt(abs(shares) / volume) if self.impact else self.rate
        if shares > 0:
            return reference * (1.0 + away) + self.half_spread
        return max(reference * (1.0 - away) - self.half_spread, 0.0)


def commission(settings: EngineSettings) -> Commission:
    """Return the run's commission."""
    return Commission(settings.commission_bps / 10_000, settings.commission_per_share, settings.commission_minimum)


def slippage(settings: EngineSettings) -> Slippage:
    """Return the run's slippage."""
    return Slippage(settings.slippage_bps / 10_000, settings.half_spread_per_share, settings.impact_bps / 10_000)
