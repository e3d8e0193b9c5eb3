"""The one error of a submission: what is wrong, where, and what to do about it."""

from __future__ import annotations

from typing import Literal, get_args

Code = Literal[
    "NOT_PYTHON",  # bytes that are no text, or a file name of an unknown kind
    "SYNTAX_ERROR",
    "TOO_DEEP",  # nested so deeply that it cannot be compiled
    "TOO_LARGE",
    "TOO_SLOW",  # parsing did not end in time
    "NO_STRATEGY",
    "TWO_STRATEGIES",
    "BAD_STRATEGY",  # a strategy whose methods do not have the expected form
    "BAD_HEADER",
    "BAD_PARAMETER",
    "BAD_FIELDS",
    "BAD_NOTEBOOK",
    "BAD_ARCHIVE",
    "UNSUPPORTED",  # known, but not offered yet
]
CODES: tuple[Code, ...] = get_args(Code)


class SubmissionError(Exception):
    """A submission that is refused before any compute.

    `message` says what to do. `line` and `column` count from 1, of the file or, for a notebook, of the cell; `cell` is
    the place of the cell among the notebook's code cells, from 1, as "Restart and run all" numbers them.
    """

    def __init__(
        self, code: Code, message: str, *, line: int | None = None, column: int | None = None, cell: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.line = line
        self.column = column
        self.cell = cell

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def to_dict(self) -> dict[str, str | int | None]:
        """Return the error as JSON: code, message, line, column, cell."""
        return {
            "code": self.code,
            "message": self.message,
            "line": self.line,
            "column": self.column,
            "cell": self.cell,
        }
