"""The `# /// backtest` block: what to run on, written in TOML inside of comments (the form of PEP 723)."""

from __future__ import annotations

import math
import re
import tomllib
from datetime import date, datetime

from tapedeck.submission.cell import Cell
from tapedeck.submission.errors import SubmissionError

OPEN = "# /// backtest"
CLOSE = "# ///"
_PLACE = re.compile(r" \(at line ([0-9]+), column ([0-9]+)\)$")
_END = re.compile(r" \(at end of document\)$")


def read(cells: list[Cell]) -> dict[str, object]:
    """Return the block's table as JSON (dates as ISO text), {} where there is none; raises BAD_HEADER."""
    found = [(cell, index) for cell in cells for index, line in enumerate(_lines(cell)) if line == OPEN]
    if not found:
        return {}
    cell, index = found[0]
    if len(found) > 1:
        again, second = found[1]
        message = f"{again.place(second + 1)}: a second `{OPEN}` block; the first is at {cell.place(index + 1)}."
        raise SubmissionError("BAD_HEADER", message, line=second + 1, column=1, cell=again.number)
    text = _content(cell, index)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _refused(str(error), cell, index + 1) from None
    except RecursionError:
        raise SubmissionError("TOO_DEEP", "The header block is nested too deeply.", cell=cell.number) from None
    return {key: _plain(value, key, cell, index + 1) for key, value in table.items()}


def _lines(cell: Cell) -> list[str]:
    return [line.rstrip() for line in cell.text.split("\n")]


def _content(cell: Cell, start: int) -> str:
    content: list[str] = []
    for number, line in enumerate(_lines(cell)[start + 1 :], start + 2):
        if line == CLOSE:
            return "\n".join(content)
        if line != "#" and not line.startswith("# "):
            message = f"{cell.place(number)}: each line of the header block starts with '# '; it ends with `{CLOSE}`."
            raise SubmissionError("BAD_HEADER", message, line=number, column=1, cell=cell.number)
        content.append(line[2:])
    message = f"{cell.place(start + 1)}: the header block has no end: close it with the line `{CLOSE}`."
    raise SubmissionError("BAD_HEADER", message, line=start + 1, column=1, cell=cell.number)


def _refused(said: str, cell: Cell, above: int) -> SubmissionError:
    """Translate tomllib's place in the block to the place in the file."""
    place = _PLACE.search(said)
    line = above + int(place[1]) if place else above
    column = 2 + int(place[2]) if place else None
    reason = _END.sub("", _PLACE.sub("", said))
    message = f"{cell.place(line)}: the header block does not parse as TOML: {reason}."
    return SubmissionError("BAD_HEADER", message, line=line, column=column, cell=cell.number)


def _plain(value: object, key: str, cell: Cell, line: int) -> object:
    """Return a TOML value as JSON; only dates need a form of their own."""
    if isinstance(value, dict):
        return {name: _plain(item, f"{key}.{name}", cell, line) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, key, cell, line) for item in value]
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    message = f"{cell.place(line)}: header key {key!r}: {value} is neither text, a number, true or false, nor a date."
    raise SubmissionError("BAD_HEADER", message, line=line, cell=cell.number)
