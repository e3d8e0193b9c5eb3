"""From bytes to text to syntax trees, every way to fail a refusal of its own."""

from __future__ import annotations

import ast
import warnings

from tapedeck.submission.cell import Cell
from tapedeck.submission.errors import SubmissionError

DEEP = "The source is nested too deeply (or too large) to be compiled: break it up into smaller pieces."
_DEEP_MESSAGES = ("too many nested parentheses", "too many levels of indentation", "too many statically nested blocks")


def decode(body: bytes, name: str) -> str:
    """Return the text of a UTF-8 file (a byte order mark is dropped); raises NOT_PYTHON."""
    if b"\0" in body:
        line = body[: body.index(b"\0")].count(b"\n") + 1
        raise SubmissionError("NOT_PYTHON", f"{name} holds null bytes: it is no Python source.", line=line)
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        message = (
            f"{name} is not UTF-8 text (byte {error.object[error.start]:#04x} at {error.start}): save it as UTF-8."
        )
        raise SubmissionError("NOT_PYTHON", message, line=line) from None


def parse(cell: Cell) -> tuple[ast.Module, list[str]]:
    """Parse and compile a cell; return its tree and the compiler's warnings. Raises SYNTAX_ERROR, TOO_DEEP."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            tree = ast.parse(cell.text, cell.filename)
            compile(cell.text, cell.filename, "exec", dont_inherit=True)
        except SyntaxError as error:
            raise refusal(error, cell) from None
        except (RecursionError, MemoryError):
            raise SubmissionError("TOO_DEEP", DEEP, cell=cell.number) from None
        except ValueError as error:  # e.g. a surrogate that JSON let through
            raise SubmissionError("NOT_PYTHON", f"{cell.filename}: {error}.", cell=cell.number) from None
    said = dict.fromkeys(f"{cell.place(w.lineno)}: {w.message}" for w in caught)
    return tree, list(said)


def refusal(error: SyntaxError, cell: Cell) -> SubmissionError:
    """Return the refusal that a SyntaxError of `cell` amounts to."""
    if error.msg in _DEEP_MESSAGES:
        return SubmissionError("TOO_DEEP", DEEP, line=error.lineno, column=error.offset, cell=cell.number)
    where = cell.place(error.lineno or 1)
    return SubmissionError(
        "SYNTAX_ERROR", f"{where}: {error.msg}.", line=error.lineno, column=error.offset, cell=cell.number
    )
