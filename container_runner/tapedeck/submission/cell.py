"""A piece of source as it is compiled: a whole script, or one cell of a notebook."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """Source text and the name it is compiled under; `number` is None for a script, else counts code cells from 1."""

    text: str
    filename: str
    number: int | None = None

    def place(self, line: int) -> str:
        """Return where a line is, in words."""
        return f"line {line}" if self.number is None else f"cell {self.number}, line {line}"
