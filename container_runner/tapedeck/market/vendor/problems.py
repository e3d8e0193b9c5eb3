"""What is wrong with a vendor's file, with file and line.

A problem refuses the whole drop. A finding does not: a row that the dataset's policy holds back, or that looks odd.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar

SHOWN = 100


@dataclass(frozen=True)
class Problem:
    """One fault: `line` counts from 1 and is None where the fault is the file's own."""

    file: str
    line: int | None
    code: str  # for programs: "price", "number", "date", "columns" ...
    message: str


class TooManyProblemsError(Exception):
    """The file is wrong throughout: reading on would only say so again."""


@dataclass
class Problems:
    """The problems of a drop; the first `SHOWN` are kept, the rest counted."""

    STOP: ClassVar[int] = 10_000
    shown: list[Problem] = field(default_factory=list)
    count: int = 0

    def add(self, file: str, line: int | None, code: str, message: str) -> None:
        """Note a problem. Raises TooManyProblemsError when there were enough to stop."""
        self.count += 1
        if len(self.shown) < SHOWN:
            self.shown.append(Problem(file, line, code, message))
        if self.count >= self.STOP:
            raise TooManyProblemsError(f"{self.count:,} problems")


@dataclass
class Findings:
    """The findings of a drop by code; the first `SHOWN` are kept, the rest counted."""

    shown: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, found: Problem) -> None:
        """Note a finding."""
        self.counts[found.code] += 1
        if len(self.shown) < SHOWN:
            self.shown.append(found)
