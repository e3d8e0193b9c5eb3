"""A measure's result: one line of the printed table, one object in `benchmarks/results/latest.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "latest.json"
_SCALES = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")),
    "B": ((1 << 20, "MiB"), (1, "B")),
    "B/s": ((1e9, "GB/s"), (1e6, "MB/s")),
}


@dataclass(frozen=True)
class Row:
    """Medians in `unit` ("s" is wall time unless the measure says CPU); `ok` follows from the ratios and `reach` alone.

    `limit` is what bounds the measure: a program that does nothing else, the machine, or the figure to be reached.
    """

    measure: str
    unit: str
    ours: float
    ours_cpu: float | None
    limit: float
    limit_name: str
    reach: str
    ok: bool
    peer: float | None = None
    peer_name: str | None = None
    note: str = ""

    @property
    def ratio_to_peer(self) -> float | None:
        """How many times what we take the peer takes."""
        return None if self.peer is None else self.peer / self.ours

    @property
    def ratio_to_limit(self) -> float:
        """How many times the limit we come to."""
        return self.ours / self.limit

    def fields(self) -> dict[str, object]:
        """Return the row as it is kept, its ratios included."""
        return {**asdict(self), "ratio_to_peer": self.ratio_to_peer, "ratio_to_limit": self.ratio_to_limit}

    def line(self) -> str:
        """Return the row in words."""
        cpu = "" if self.ours_cpu is None else f" (CPU {amount(self.ours_cpu, 's')})"
        parts = [f"{self.measure}: ours {amount(self.ours, self.unit)}{cpu}"]
        better = "less" if self.unit == "B" else "faster"
        if self.peer is not None:
            parts.append(f"{self.peer_name} {amount(self.peer, self.unit)}, {self.ratio_to_peer:.3g} times {better}")
        parts.append(f"{self.limit_name} {amount(self.limit, self.unit)}, {self.ratio_to_limit:.3g} times that")
        said = f"{'; '.join(parts)}; reach {self.reach}: {'ok' if self.ok else 'MISSED'}"
        return f"{said} ({self.note})" if self.note else said


def amount(value: float, unit: str) -> str:
    """Return a value with its unit, seconds in the unit that suits them."""
    scale, name = next((s for s in _SCALES.get(unit, ()) if abs(value) >= s[0]), _SCALES.get(unit, ((1.0, unit),))[-1])
    return f"{value / scale:.4g} {name}"


def keep(rows: Sequence[Row], path: Path = RESULTS) -> None:
    """Write rows in place of those of the same measure; the others stay as they were measured last."""
    known = json.loads(path.read_text()) if path.exists() else []
    load = round(os.getloadavg()[0], 1)  # what else the machine was busy with, as the measure ended
    fresh = {row.measure: {**row.fields(), "load": load} for row in rows}
    path.parent.mkdir(exist_ok=True)
    merged = {**{row["measure"]: row for row in known}, **fresh}
    path.write_text(json.dumps(list(merged.values()), indent=1) + "\n")
