"""A notebook's code cells as Python: `skip` cells left out, `%` lines dropped with a warning, `!` and `%%` refused."""

from __future__ import annotations

import ast
import json
from typing import Any

from tapedeck.submission.cell import Cell
from tapedeck.submission.errors import SubmissionError
from tapedeck.submission.syntax import DEEP, decode

SKIP_TAG = "skip"


def cells(name: str, body: bytes) -> tuple[list[Cell], list[str]]:
    """Return the cells to run, in order, and warnings; raises NOT_PYTHON, BAD_NOTEBOOK, TOO_DEEP, UNSUPPORTED.

    Lines keep their numbers: a dropped line becomes ``pass``.
    """
    found: list[Cell] = []
    warnings: list[str] = []
    number = 0
    for raw in _cells(name, body):
        if raw.get("cell_type") != "code":
            continue
        number += 1
        if SKIP_TAG in _tags(raw):
            continue
        cell = Cell(_source(raw, number), f"{name}[{number}]", number)
        text, dropped = _without_magics(cell)
        found.append(Cell(text, cell.filename, number))
        warnings += [f"{cell.place(line)}: {said} was dropped: it is IPython's, not Python's" for line, said in dropped]
    if not found:
        raise SubmissionError("BAD_NOTEBOOK", f"{name} has no code cell that is not tagged {SKIP_TAG!r}.")
    return found, warnings


def _cells(name: str, body: bytes) -> list[dict[str, Any]]:
    try:
        notebook = json.loads(decode(body, name))
    except RecursionError:
        raise SubmissionError("TOO_DEEP", DEEP) from None
    except json.JSONDecodeError as error:
        message = f"{name} is no notebook: its JSON does not parse ({error.msg})."
        raise SubmissionError("BAD_NOTEBOOK", message, line=error.lineno, column=error.colno) from None
    except ValueError as error:  # an integer of too many digits
        raise SubmissionError("BAD_NOTEBOOK", f"{name} is no notebook: {error}.") from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise SubmissionError("BAD_NOTEBOOK", f"{name} has no list of cells: save it in notebook format 4.")
    found: list[dict[str, Any]] = notebook["cells"]
    if not all(isinstance(cell, dict) for cell in found):
        raise SubmissionError("BAD_NOTEBOOK", f"{name} has a cell that is no JSON object.")
    language = _language(notebook)
    if language != "python":
        raise SubmissionError("BAD_NOTEBOOK", f"{name} is a notebook in {language[:40]!r}: only Python is run.")
    return found


def _language(notebook: dict[str, Any]) -> str:
    metadata = notebook.get("metadata")
    info = metadata.get("language_info") if isinstance(metadata, dict) else None
    language = info.get("name", "python") if isinstance(info, dict) else "python"
    return language.lower() if isinstance(language, str) else "python"


def _tags(cell: dict[str, Any]) -> list[Any]:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return tags if isinstance(tags, list) else []


def _source(cell: dict[str, Any], number: int) -> str:
    source = cell.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise SubmissionError("BAD_NOTEBOOK", f"cell {number} has no text as its source.", cell=number)
    if "\0" in source:
        raise SubmissionError("NOT_PYTHON", f"cell {number} holds null bytes: it is no Python source.", cell=number)
    return source


def _without_magics(cell: Cell) -> tuple[str, list[tuple[int, str]]]:
    """Replace the `%` lines at which the parser stumbles; a `%` that continues an expression stays."""
    lines = cell.text.split("\n")
    dropped: list[tuple[int, str]] = []
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if lines[first].lstrip().startswith("%%"):
        raise _refused(cell, first + 1, lines[first])
    while (stumble := _stumble(lines)) is not None:
        line = lines[stumble].lstrip()
        if line.startswith(("!", "%%")):
            raise _refused(cell, stumble + 1, line)
        if not line.startswith("%"):
            break  # a syntax error like any other
        dropped.append((stumble + 1, line.split()[0]))
        lines[stumble] = lines[stumble][: -len(line)] + "pass"
    return "\n".join(lines), sorted(dropped)


def _stumble(lines: list[str]) -> int | None:
    """Return the index of the line at which the parser gives up, or None."""
    try:
        ast.parse("\n".join(lines))
    except SyntaxError as error:
        return min(max((error.lineno or 1) - 1, 0), len(lines) - 1)
    except (RecursionError, MemoryError, ValueError):
        return None  # `syntax.parse` names it
    return None


def _refused(cell: Cell, line: int, text: str) -> SubmissionError:
    what = "a shell command" if text.lstrip().startswith("!") else "a cell magic"
    message = (
        f"{cell.place(line)}: {text.split(maxsplit=1)[0][:40]!r} is {what}, which is not run here. "
        f"Remove it, or tag the cell {SKIP_TAG!r}."
    )
    return SubmissionError("UNSUPPORTED", message, line=line, column=1, cell=cell.number)
