"""What a sweep found: a row of figures for each trial, and a plain word on how many were tried."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapedeck.suggest import did_you_mean
from tapedeck.sweeps import FIGURES
from tapedeck.sweeps.figures import Deflated, Figures

_FORMS = dict(zip(FIGURES, ("{:,.2f}", "{:.2%}", "{:.2%}", "{:.3f}", "{:,.0f}"), strict=True))


@dataclass(frozen=True)
class Sweep:
    """Trials in the grid's order. Figures as `tapedeck run` states them: `docs/reference/metrics.md`.

    `snapshot`: what was read, None for bars in memory. `believed`: how far the best Sharpe ratio can be believed, None
    where no trial has one.
    """

    name: str
    symbols: tuple[str, ...]
    snapshot: str | None
    params: list[dict[str, Any]]
    figures: Figures
    fills: NDArray[np.int64]
    believed: Deflated | None

    def __len__(self) -> int:
        """Return the number of trials."""
        return len(self.params)

    def __getitem__(self, trial: int) -> dict[str, Any]:
        """Return a trial: `params`, and each figure, None where it is not defined."""
        told = self.figures
        values = {name: float(getattr(told, name)[trial]) for name in FIGURES[:-1]}
        row = {name: None if np.isnan(value) else value for name, value in values.items()}
        return {"params": self.params[trial], **row, "trades": int(self.fills[trial])}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the trials."""
        return (self[trial] for trial in range(len(self)))

    def best(self, by: str = "sharpe") -> dict[str, Any]:
        """Return the trial with the highest figure (of drawdowns: the least deep); the first of several equal ones."""
        return self[self.ranked(by)[0]]

    def ranked(self, by: str = "sharpe") -> Sequence[int]:
        """Return the trials, the highest figure first; those without one last."""
        if by not in FIGURES:
            raise ValueError(f"a sweep has no figure {by!r}{did_you_mean(by, FIGURES)}")
        values = self.fills.astype(float) if by == "trades" else getattr(self.figures, by)
        order: list[int] = np.argsort(np.where(np.isnan(values), np.inf, -values), kind="stable").tolist()
        return order

    def to_pandas(self) -> Any:
        """Return a DataFrame: a column for each parameter, then the figures, NaN where one is not defined."""
        import pandas as pd  # noqa: PLC0415 - only who asks for it waits for it

        table = pd.DataFrame(self.params)
        for name in FIGURES[:-1]:
            table[name] = getattr(self.figures, name)
        table["trades"] = self.fills
        return table

    def to_csv(self) -> str:
        """Return all trials as a table with a header; floats read back equal, empty where a figure is not defined."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*self.params[0], *FIGURES])
        for trial in self:
            told = ["" if trial[name] is None else repr(trial[name]) for name in FIGURES]
            writer.writerow([*trial["params"].values(), *told])
        return out.getvalue()

    def table(self, by: str = "sharpe", rows: int = 20) -> str:
        """Return the best trials as text, and how many were tried to find them."""
        names = list(self.params[0])
        lines = ["".join(f"{name:>14}" for name in (*names, *FIGURES))]
        for trial in self.ranked(by)[:rows]:
            row = self[trial]
            told = ["n/a" if row[name] is None else _FORMS[name].format(row[name]) for name in FIGURES]
            lines.append("".join(f"{text!s:>14}" for text in (*row["params"].values(), *told)))
        if len(self) > rows:
            lines.append(f"... {len(self) - rows:,} more trials")
        return "\n".join([*lines, "", self.warning()])

    def warning(self) -> str:
        """Say how many trials there were, and what that does to the best of them."""
        count, said = f"{len(self):,} trials were run: the best of many looks good by chance alone.", self.believed
        if said is None:
            return f"{count} No Sharpe ratio is defined."
        return (
            f"{count} The best Sharpe ratio is {said.sharpe:.3f}; the best of {said.trials:,} worthless trials would "
            f"show {said.expected_best:.3f}. Deflated Sharpe ratio {said.deflated:.3f}: the probability that the true "
            f"one is above that (above 0, had only this one been tried: {said.probabilistic:.3f}). Trials of earlier "
            "sweeps on the same data are not counted."
        )

    def __str__(self) -> str:
        return f"{self.name} on {', '.join(self.symbols[:8])}\n\n{self.table()}"
