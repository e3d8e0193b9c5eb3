"""A run's costs and books as class attributes: `commission_bps = 1.0` in the class is the header key's default."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from tapedeck.ranges import SETTINGS
from tapedeck.submission.cell import Cell
from tapedeck.submission.errors import SubmissionError
from tapedeck.submission.inspection import Scalar


def stated(statements: Iterable[tuple[Cell, ast.stmt]]) -> dict[str, Scalar]:
    """Return the settings that class bodies assign without an annotation, nearest class first.

    With one, as `leverage: float = 2.0`, the name is a parameter of the strategy. Raises BAD_HEADER for a value that
    has to be worked out.
    """
    found: dict[str, Scalar] = {}
    for cell, node in statements:
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id in SETTINGS and target.id not in found:
                found[target.id] = _value(target.id, node, cell)
    return found


def _value(name: str, node: ast.Assign, cell: Cell) -> Scalar:
    try:
        value = ast.literal_eval(node.value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        value = None
    if isinstance(value, int | float | str | bool):
        return value
    message = f"{cell.place(node.lineno)}: {name} is a setting of the run: write it as a number, text, True or False."
    raise SubmissionError("BAD_HEADER", message, line=node.lineno, column=node.col_offset + 1, cell=cell.number)
