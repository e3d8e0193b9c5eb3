"""The look-ahead audit: a run's decisions, taken again on data that ends early, must be the same.

Pure: who calls it brings the full run's decisions chunk by chunk (`Record.see`) and a `Player` that takes them again.
It is for decisions that are arrays, handed in chunk by chunk: the levels "weights" and "main". A level that is handed
one bar at a time cannot look ahead and needs no audit.
"""

from __future__ import annotations

from tapedeck.audit.compare import Difference
from tapedeck.audit.cuts import Cut
from tapedeck.audit.record import Record
from tapedeck.audit.replay import Part, Player, ReplayFailedError, audit, longer, warm_up, warm_up_words
from tapedeck.audit.verdict import Verdict
from tapedeck.causality import CUTS, LEVELS

__all__ = [
    "CUTS",
    "LEVELS",
    "Cut",
    "Difference",
    "Part",
    "Player",
    "Record",
    "ReplayFailedError",
    "Verdict",
    "audit",
    "longer",
    "warm_up",
    "warm_up_words",
]
