"""What an audit found, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from tapedeck.audit.compare import Difference
from tapedeck.causality import Causality

Kind = Literal["by_construction", "audited", "leaked", "unrepeatable", "failed"]


@dataclass(frozen=True)
class Verdict:
    """An audit's end; a leak comes with its first `difference` and with the bar that the data ended on, `cut`."""

    kind: Kind
    cuts: int  # replays compared
    difference: Difference | None = None
    cut: str | None = None
    reason: str | None = None  # for "unrepeatable" and "failed"
    rounding: Difference | None = None  # a decision that differs in its last digits, which is no leak

    @property
    def causality(self) -> Causality:
        """What a result may state."""
        told: dict[Kind, Causality] = {"unrepeatable": "unchecked", "failed": "unchecked"}
        return told.get(self.kind, cast(Causality, self.kind))

    def warnings(self) -> list[str]:
        """Return what a reader of the result has to know."""
        return ([] if self.sound else [str(self)]) + self.notes()

    @property
    def sound(self) -> bool:
        """Whether the strategy is known not to look ahead."""
        return self.kind in ("audited", "by_construction")

    def notes(self) -> list[str]:
        """Return what does not change the verdict."""
        return [self._rounding()] if self.rounding else []

    def __str__(self) -> str:
        if self.kind == "by_construction":
            return "by construction: it is handed one bar at a time and cannot look ahead"
        if self.kind == "audited":
            replays = "1 replay" if self.cuts == 1 else f"{self.cuts} replays"
            return f"audited: {replays} on data that ends early took the same decisions"
        if self.kind == "leaked":
            return f"leaked: {self.difference} when the data ends on the bar {self.cut}: the strategy looks ahead"
        if self.kind == "unrepeatable":
            return f"not repeatable: {self.reason}; look-ahead cannot be told from chance"
        return f"not audited: {self.reason}"

    def _rounding(self) -> str:
        return (
            f"rounding: {self.rounding} when the data ends early, less than 1e-12 apart: the order of a sum depends on "
            "how many rows an array has; this is not counted as look-ahead"
        )
