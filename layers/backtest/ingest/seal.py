"""After a drop, the closed years of its symbols are sealed, as far as the time goes: for the speed of reads alone."""

from __future__ import annotations

from time import monotonic

from backtest.ingest.report import Report
from tapedeck.market import sealing, snapshot
from tapedeck.market.sealing import Outcome
from tapedeck.market.store import ObjectStore

SECONDS = 300  # at most, because the next drop waits; the next drop of these symbols goes on with what is left


def seal(market: ObjectStore, answer: Report, *, left_s: float) -> Outcome:
    """Seal what an answered drop's snapshot has closed, of the drop's symbols, in so many seconds at most.

    Nothing that an answer or a run depends on: an error may be logged and forgotten.
    """
    if answer["dataset"] is None or answer["snapshot"] is None:
        return Outcome()
    at = snapshot.load(market, answer["dataset"], answer["snapshot"])
    end = monotonic() + min(left_s, SECONDS)
    return sealing.seal(market, at, at.entries.keys() & answer["symbols"].keys(), go_on=lambda: monotonic() < end)
