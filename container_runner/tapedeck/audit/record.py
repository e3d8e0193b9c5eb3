"""What is kept of a full run: digests of its decisions, so that its size does not matter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tapedeck.audit.compare import changed, digest
from tapedeck.audit.cuts import Cut, Draw, Marked
from tapedeck.bars import Array

KEPT_BYTES = 32 * 1024 * 1024  # of decisions from the run's begin on, for the second check


class Record:
    """Takes a run's chunks as they are decided; `rows` is how many bars each of them has to decide on."""

    def __init__(self, rows: Sequence[int], cuts: int, seed: int) -> None:
        self._draw = Draw(rows, cuts, seed)
        self._at_cuts: dict[Cut, bytes] = {}
        self._room = KEPT_BYTES
        self.chunks: list[bytes] = []  # digest of each chunk's decisions
        self.begin: list[Array] = []  # the first chunks' decisions, as many as there is room for

    def see(self, decisions: Array, missing: NDArray[np.bool_]) -> None:
        """Take the next chunk: its decisions, and where a symbol did not trade; both (rows, symbols), own rows only."""
        chunk = len(self.chunks)
        self._draw.offer(_marked(chunk, decisions, missing))
        possible = self._draw.possible
        self._at_cuts = {cut: value for cut, value in self._at_cuts.items() if cut in possible}
        self._at_cuts |= {cut: digest(decisions[: cut.rows]) for cut in possible if cut.chunk == chunk}
        self.chunks.append(digest(decisions))
        if decisions.nbytes <= self._room and len(self.begin) == chunk:
            self._room -= decisions.nbytes
            self.begin.append(decisions.copy(order="F"))

    def cuts(self) -> list[tuple[Cut, bytes]]:
        """Return the cuts and the digest of the decisions before each of them in its chunk, in the order of the run."""
        return [(cut, self._at_cuts[cut]) for cut in self._draw.chosen()]


def _marked(chunk: int, decisions: Array, missing: NDArray[np.bool_]) -> Marked:
    seen, told = decisions[:-1], decisions[:-1] != 0  # the last row cannot be the last one seen: nothing is cut off
    told &= ~np.isnan(seen)
    turns, gaps = changed(seen), missing[:-1] & ~missing[1:]

    def cuts(where: NDArray[np.bool_]) -> list[Cut]:
        return [Cut(chunk, row + 1) for row in np.flatnonzero(where.any(axis=1)).tolist()]

    return Marked(cuts(turns), cuts(turns & told), cuts(gaps), cuts(gaps & told))
