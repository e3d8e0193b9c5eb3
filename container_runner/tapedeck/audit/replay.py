"""The two checks: decisions on data that ends early, and decisions with twice the history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tapedeck.audit.compare import Difference, bar_name, digest, first_difference
from tapedeck.audit.cuts import Cut
from tapedeck.audit.record import Record
from tapedeck.audit.verdict import Verdict
from tapedeck.bars import Array

UNTOLD = 100  # bars of history that "weights" gets in the second check when it has asked for none


class ReplayFailedError(Exception):
    """A replay came to no decision; the message says why."""


@dataclass(frozen=True)
class Part:
    """A chunk's own bars and the decisions on them: (n,), (n,) and (n, symbols)."""

    ts: NDArray[np.int64]
    session: NDArray[np.int32]
    decisions: Array


class Player(Protocol):
    """Takes a run's decisions again."""

    def replay(self, chunks: int, rows: int | None, lookback: int | None = None) -> Iterator[Part]:
        """Yield the decisions on the first `chunks` chunks, of the last of them on its first `rows` rows (None: all).

        The strategy starts afresh: its module, its instance, its random numbers. It is handed nothing of the bars after
        the last row, and `lookback` bars of history (None: as many as in the run). Raises `ReplayFailedError`.
        """
        ...


class _UnrepeatableError(Exception):
    """The same data gave other decisions."""


def audit(record: Record, player: Player, symbols: Sequence[str]) -> Verdict:
    """Replay the run at each of its cuts, in the order of the run, until a decision before one is another."""
    done, rounding = 0, None
    try:
        for cut, expected in record.cuts():
            part = _last(record, player, cut.chunk, cut.rows)
            if digest(part.decisions) != expected:
                difference, beyond = _compare(record, player, cut, part, symbols)
                if beyond:
                    return Verdict("leaked", done + 1, difference, bar_name(int(part.ts[-1]), int(part.session[-1])))
                rounding = rounding or difference
            done += 1
    except ReplayFailedError as error:
        return Verdict("failed", done, reason=f"{error}", rounding=rounding)
    except _UnrepeatableError as error:
        return Verdict("unrepeatable", done, reason=f"{error}")
    if not done:
        return Verdict("failed", 0, reason="no chunk of the run has two bars, so there is nothing to cut off")
    return Verdict("audited", done, rounding=rounding)


def longer(level: str, lookback: int) -> int:
    """Return the history that the second check gives; 0 when there is nothing to check."""
    return 2 * lookback or (UNTOLD if level in ("weights", "shares") else 0)


def warm_up(record: Record, player: Player, symbols: Sequence[str], lookback: int) -> Difference | None:
    """Return the first decision that is another with `lookback` bars of history, None when none is.

    Looks at the chunks that `record.begin` holds. `Difference.replayed` is the decision with the longer history. Raises
    `ReplayFailedError`.
    """
    parts = player.replay(len(record.begin), None, lookback)
    for full, part in zip(record.begin, islice(parts, len(record.begin)), strict=True):
        difference, beyond = first_difference(full, part.decisions, part.ts, part.session, symbols)
        if beyond:
            return difference
    return None


def warm_up_words(difference: Difference | None, lookback: int, more: int) -> str:
    """Return what `warm_up` found in words: the run had `lookback` bars of history, the second check `more`."""
    if difference is None:
        return f"sufficient: with {more} bars of history instead of {lookback} the decisions are the same"
    far = abs(difference.full - difference.replayed)
    apart = "" if np.isnan(far) else f", {far:.2g} apart"
    return f"too short? {difference} with {more} bars of history instead of {lookback}{apart}"


def _last(record: Record, player: Player, chunk: int, rows: int | None) -> Part:
    """Replay up to `chunk`; raises `_UnrepeatableError` when a chunk before it was decided in another way."""
    for index, part in enumerate(player.replay(chunk + 1, rows)):
        if index == chunk:
            return part
        _must_repeat(record, index, part)
    raise ReplayFailedError(f"a replay ended before chunk {chunk}")


def _compare(
    record: Record, player: Player, cut: Cut, part: Part, symbols: Sequence[str]
) -> tuple[Difference | None, bool]:
    """Replay the whole chunk: what the run decided there, unless the strategy cannot repeat itself."""
    whole = _last(record, player, cut.chunk, None)
    _must_repeat(record, cut.chunk, whole)
    return first_difference(whole.decisions[: cut.rows], part.decisions, part.ts, part.session, symbols)


def _must_repeat(record: Record, index: int, part: Part) -> None:
    if digest(part.decisions) != record.chunks[index]:
        first, last = (bar_name(int(part.ts[at]), int(part.session[at])) for at in (0, -1))
        raise _UnrepeatableError(f"run again on the same bars, other decisions came from {first} to {last}")
