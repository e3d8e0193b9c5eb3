"""Where reading a drop stands when the time of one call is up, for the call that goes on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A row of a file that begins at `offset` (bytes, unpacked) and has this number; `by_row`: no block is tried.

    `price`: one that was read before, where others of the file must be written like it.
    """

    offset: int
    number: int
    by_row: bool
    price: str | None = None


@dataclass(frozen=True)
class Bookmark:
    """What comes next: by default the drop's begin.

    `members`: its place in each zip's sorted list, outermost first; `line`: where in that file (None: at its begin);
    `taken`: bytes of the drop that were read before, unpacked; `whole`: nothing comes any more.
    """

    members: tuple[int, ...] = ()
    line: Line | None = None
    taken: int = 0
    whole: bool = False
