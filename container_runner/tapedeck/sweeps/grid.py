"""A parameter grid: what a sweep tries, one mapping of parameters a trial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

from tapedeck.submission import SubmissionError

Grid = Mapping[str, Iterable[object]] | Iterable[Mapping[str, object]]
MOST = 1_000_000  # trials of one sweep
_RANGE = 3  # begin, end, step


def combinations(grid: Grid) -> list[dict[str, Any]]:
    """Return the grid's trials: of lists by name every combination, the last name varying fastest; else as they come.

    Raises `ValueError` when there is none, or more than `MOST`.
    """
    if isinstance(grid, Mapping):
        values = [[value] if isinstance(value, str) else list(value) for value in grid.values()]
        count = 1
        for some in values:
            count *= len(some)
        trials = [] if count > MOST else [dict(zip(grid, one, strict=True)) for one in product(*values)]
    else:
        trials = [dict(one) for one in grid]
        count = len(trials)
    if count > MOST:
        raise ValueError(f"the grid has {count:,} combinations, at most {MOST:,} are tried at once")
    if not trials:
        raise ValueError("the grid has no combination")
    return trials


def values(text: str) -> list[object]:
    """Return the values that a command line says: BEGIN:END:STEP (END included), or a list with commas.

    Raises `SubmissionError` BAD_PARAMETER for a range that has no end.
    """
    parts = text.split(":")
    if len(parts) in (2, _RANGE):
        try:
            return _range(*(_number(part) for part in parts))
        except ValueError as error:
            raise SubmissionError("BAD_PARAMETER", f"{text!r} is no range BEGIN:END:STEP: {error}.") from None
    return [_plain(part) for part in text.split(",")]


def _range(begin: float, end: float, step: float = 1) -> list[object]:
    if step <= 0 or not end >= begin:
        raise ValueError("the step is above zero and the end not below the begin")
    count = (end - begin) / step
    if not count < MOST:
        raise ValueError(f"it has more than {MOST:,} values")
    return [begin + k * step for k in range(int(count + 1e-9) + 1)]


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _plain(text: str) -> object:
    if text in ("true", "false"):
        return text == "true"
    try:
        return _number(text)
    except ValueError:
        return text
